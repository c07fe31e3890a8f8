/**
 * The ring descriptors of the app channel: 64 bytes, 16 little-endian 32-bit words.
 *
 * A slot never holds message bytes, only where they are. One call is one `CALL` slot on its way to the
 * handler and one `REPLY` slot on its way back; whatever happens, the caller gets exactly one `REPLY`
 * for each `CALL` that it put into its ring.
 *
 * ```
 *            CALL                          REPLY                        CANCEL            RELEASE
 * word  0    kind | flags<<8 | method<<16  kind | flags<<8              kind | flags<<8   kind | count<<16
 *       1    call id                       call id                      call id           block 1: tag
 *       2    binding (to daemon) or        status | origin<<8           reason (status)             offset
 *            export (to app)
 *       3    timeout, ms, 0 = none         length of status message                       block 2: tag
 *       4    block: region<<16 | gen       block                                                    offset
 *       5    block: offset in the region   block                                          …
 *       6    inline length                 inline length
 *       7    segment count                 segment count
 *       8    segment bytes (padded)        segment bytes (padded)
 *       9    metadata length               metadata length (trailers)
 *      10    –                             length of status details
 *      11    –                             –
 *      12    released block: tag           released block: tag
 *      13    released block: offset        released block: offset                         block 7
 *      14,15 –                             –                                              –
 * ```
 *
 * What lies in the block, one after the other, each part starting at a multiple of 8:
 *
 * ```
 * written by an app (send heap)            written by the daemon (receive heap)
 * inline part of the message               inline part of the message
 * segment table, 16 bytes a segment        the segments themselves, each padded to 8
 * trace context (flag TRACE), 32 bytes     trace context (flag TRACE), 32 bytes
 * metadata                                 metadata
 * status message, UTF-8 (REPLY)            status message, UTF-8 (REPLY)
 * status details (REPLY)                   status details (REPLY)
 * ```
 *
 * A streaming call has MESSAGE slots between CALL and REPLY, and CREDIT slots the other way:
 *
 * ```
 *            MESSAGE                       CREDIT
 * word  0    kind | flags<<8               kind | flags<<8
 *       1    call id                       call id
 *       3    cost: bytes of credit         bytes granted
 *       4-9  as in CALL                    –
 *      10    messages in the block         –
 *      12,13 released block                released block
 * ```
 *
 * The CALL of a method that takes a stream has no message (inline length 0; NO_BLOCK, unless there is
 * metadata). The REPLY of a method that returns a stream has none either, whatever its status.
 *
 * Small messages share a block: with a count of 2 or more, the inline part is a row of records, each a
 * header of {@link BATCH_RECORD_BYTES} (length of the message's inline part in bytes, then 0) and the inline
 * part, padded to 8; there are no segments. With a count of 1 the block is a message as in CALL. With a
 * count of 0 there is no message (END or HEADERS alone).
 *
 * A sender may send as long as its credit for the call is above 0, and pays inline part and segment bytes
 * of the block, so it goes below 0 by one block at most. It begins with {@link streamCreditInitial}; the
 * receiver grants more as its app takes messages: what they cost, which the slot says because a message
 * may have another size there.
 *
 * Who frees: a `CALL` block belongs to the daemon until the `REPLY` of that call (with `HOLD`: until a
 * `RELEASE` names it). A `REPLY` block of a server app belongs to the daemon until a `RELEASE` names it.
 * So does a `MESSAGE` block of any app. A receive block belongs to the app until it names it in a `RELEASE` or in words 12 and 13; the `REPLY`
 * of a server app releases the block of its `CALL`, too, unless it carries `HOLD`.
 */

export const SLOT_BYTES = 64;
export const SLOT_WORDS = 16;

/** What a slot says; byte 0 of word 0. */
export const SlotKind = {
  CALL: 1,
  REPLY: 2,
  CANCEL: 3,
  RELEASE: 4,
  /** Messages of a streaming call, after its CALL and before its REPLY. */
  MESSAGE: 5,
  /** More bytes of messages of a streaming call may be sent. */
  CREDIT: 6,
} as const;
export type SlotKind = (typeof SlotKind)[keyof typeof SlotKind];

/** Bits of byte 1 of word 0. */
export const SlotFlag = {
  /** The block carries a 32-byte trace context. */
  TRACE: 1,
  /** REPLY: the request's block is still in use; a RELEASE follows. */
  HOLD: 2,
  /** Words 12 and 13 name a receive block that the app gives back. */
  RELEASES: 4,
  /** CALL: wait for an endpoint instead of failing with UNAVAILABLE. */
  WAIT_FOR_READY: 8,
  /** The slot has no block (an empty reply with a bare status). */
  NO_BLOCK: 16,
  /**
   * MESSAGE: from the callee to the caller. CREDIT: granted by the callee, for messages to it. The call id
   * is then the callee's, between the callee and its daemon.
   */
  FROM_CALLEE: 32,
  /** MESSAGE: the sender sends no more messages in this call. With or without a message. */
  END: 64,
  /** MESSAGE: its metadata are the call's response headers; without a message. At most once, and first. */
  HEADERS: 128,
} as const;

/** Word indices, named. */
export const W_KIND = 0;
export const W_CALL = 1;
export const W_TARGET = 2;
export const W_STATUS = 2;
export const W_TIMEOUT = 3;
export const W_MESSAGE_LENGTH = 3;
export const W_BLOCK_TAG = 4;
export const W_BLOCK_OFFSET = 5;
export const W_INLINE_LENGTH = 6;
export const W_SEGMENT_COUNT = 7;
export const W_SEGMENT_BYTES = 8;
export const W_METADATA_LENGTH = 9;
export const W_DETAILS_LENGTH = 10;
/** MESSAGE: bytes of credit that it took from its sender. CREDIT: bytes granted. */
export const W_COST = 3;
/** MESSAGE: how many messages the block has; see {@link BATCH_RECORD_BYTES}. */
export const W_COUNT = 10;
export const W_RELEASED_TAG = 12;
export const W_RELEASED_OFFSET = 13;

/** Blocks one RELEASE slot can name, in words 1 to 14. */
export const RELEASES_PER_SLOT = 7;

/** Segments one message can have; further large bytes stay in the inline part. */
export const SEGMENTS_MAX = 64;
/** A row of the segment table: block tag, block offset, length in bytes, 0. */
export const SEGMENT_ROW_BYTES = 16;
/** W3C trace context: 16 bytes trace id, 8 bytes span id, 1 byte flags, 7 bytes zero. */
export const TRACE_BYTES = 32;

/** Before each message of a block with several: its inline length, and 0. */
export const BATCH_RECORD_BYTES = 8;
/** Messages that one block can have. */
export const batchMessagesMax: number = 1024;
/** Bytes of a block with several messages, at most. */
export const batchBytesMax: number = 16 * 1024;
/** Credit of each direction of a streaming call at its beginning, bytes. */
export const streamCreditInitial: number = 64 * 1024;
/** Credit beyond this is a violation. */
export const streamCreditMax: number = 1024 * 1024 * 1024;

/** The next multiple of 8. */
export function padTo8(bytes: number): number {
  return (bytes + 7) & ~7;
}

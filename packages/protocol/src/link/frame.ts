/**
 * Frames: what two daemons say to each other over a link. Drawn in docs/reference/wire-format.md.
 *
 * All numbers are little-endian. Frames are multiples of 8 bytes long and every part of a frame starts
 * at a multiple of 8, so that message bodies can be validated and read where they were received.
 *
 * ```
 * long header, 32 bytes: REQUEST, RESPONSE, STREAM_MESSAGE
 *   word 0  length of the frame, this header included
 *        1  type | flags<<8 | (method, or status | origin<<8)<<16
 *        2  stream
 *        3  binding (REQUEST) · length of status message (RESPONSE)
 *        4  inline length of the message
 *        5  segment bytes of the message (each segment padded to 8)
 *        6  timeout in ms, 0 = none (REQUEST) · length of status details (RESPONSE)
 *        7  metadata length | segment count<<16
 *   then   [segment lengths, u32 each] [trace context, 32] [metadata] [status message] [status details]
 *   then   the message's body: inline part, segments; what does not fit follows in CHUNK frames
 *
 * short header, 16 bytes: everything else
 *   word 0  length   1  type | flags<<8 | value16<<16   2  stream   3  value
 * ```
 *
 * A stream is one call on one link. Its id is chosen by the daemon of the caller; frames of the daemon
 * that serves it carry `FROM_CALLEE`, so both sides may use the same numbers for calls of their own.
 */

export const LINK_MAGIC = "koala-link";
export const LINK_VERSION = 1;

export const FrameType = {
  /** JSON: who I am. First frame in both directions. */
  HELLO: 1,
  /** JSON: all services that can be reached here, after each change. */
  SERVICES: 2,
  /** JSON: I want to call this service with this schema, as binding `stream`. */
  BIND: 3,
  /** The binding may be used. */
  BOUND: 4,
  /** JSON: the binding can't be had, and why. */
  REFUSED: 5,
  /** I do not know the schema of the binding; send it. */
  NEED_SCHEMA: 6,
  /** A piece of a FileDescriptorSet; `value` = bytes of the whole. */
  SCHEMA: 7,
  /** No new calls on this link, please; JSON with the reason. */
  GOAWAY: 8,
  PING: 9,
  PONG: 10,
  /** JSON: I want the descriptors of a service; `stream` numbers the question. Needs the feature of that name. */
  DESCRIBE: 11,
  /** A piece of a FileDescriptorSet; `value` = bytes of the whole, 0: nobody here offers the service. */
  DESCRIBED: 12,
  REQUEST: 16,
  RESPONSE: 17,
  /** More of the body of the stream's current message; `value` = offset in the body. */
  CHUNK: 18,
  /** The caller is not interested any more; `value16` = status that says why. */
  CANCEL: 19,
  /** `value` = bytes that may be sent in addition, on the stream, or on the link for stream 0. */
  CREDIT: 20,
  /** Messages of a streaming call; long header, with their number in word 3 and their cost in word 6. */
  STREAM_MESSAGE: 21,
  /** `value` = bytes of messages of the stream that may be sent in addition, by the other end. */
  STREAM_CREDIT: 22,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const FrameFlag = {
  /** The sender serves the stream, it did not open it. */
  FROM_CALLEE: 1,
  /** A trace context is there. */
  TRACE: 2,
  /** STREAM_MESSAGE: the sender has no more messages. */
  END: 4,
  /** STREAM_MESSAGE: its metadata are the call's response headers. */
  HEADERS: 8,
} as const;

export const LONG_HEADER_BYTES = 32;
export const SHORT_HEADER_BYTES = 16;
export const F_LENGTH = 0;
export const F_KIND = 1;
export const F_STREAM = 2;
export const F_VALUE = 3;
export const F_BINDING = 3;
export const F_MESSAGE_LENGTH = 3;
export const F_COUNT = 3;
export const F_INLINE = 4;
export const F_SEGMENT_BYTES = 5;
export const F_TIMEOUT = 6;
export const F_DETAILS_LENGTH = 6;
export const F_COST = 6;
export const F_LENGTHS = 7;

/** Name of the ability to answer DESCRIBE, in `features` of HELLO. */
export const DESCRIBE_FEATURE = "describe";

/** Name of the ability to take SERVICES in parts, in `features` of HELLO. */
export const SERVICE_PARTS_FEATURE = "service-parts";
/** Entries of all parts of a list together. */
export const offersMax = 4096;

/** Bytes that the parts between header and body may take together; they are in the first frame. */
export const headBytesMax: number = 48 * 1024;
/** Status messages longer than this are cut before they leave. */
export const statusMessageBytesMax: number = 4 * 1024;
/** Status details longer than this turn the call into INTERNAL. */
export const statusDetailsBytesMax: number = 16 * 1024;
/** Largest frame that a daemon may announce in HELLO, header included. */
export const frameBytesMax: number = 1024 * 1024 + headBytesMax;
/** Largest cold frame (HELLO, SERVICES, BIND, REFUSED, GOAWAY, DESCRIBE). */
export const coldFrameBytesMax: number = 256 * 1024;

const typeNames = new Map<number, string>(
  Object.entries(FrameType).map(([name, value]) => [value, name]),
);

/** Name of a frame type for logs, the number for one that is not known. */
export function frameTypeName(type: number): string {
  return typeNames.get(type) ?? `type ${type}`;
}

/** Whether frames of this type carry the long header. */
export function hasLongHeader(type: number): boolean {
  return (
    type === FrameType.REQUEST || type === FrameType.RESPONSE || type === FrameType.STREAM_MESSAGE
  );
}

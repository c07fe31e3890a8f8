/**
 * Messages in memory to protobuf's encoding and back, without a message object in between. Generated from the
 * layout like the writer and the reader.
 */
import type { Memory } from "@koala/shm";
import type { MessageCodec, SegmentSink } from "./message-codec.ts";
import type { ProtobufCode } from "./protobuf-reasons.ts";

/**
 * The codec of a type for those who have, or want, its protobuf encoding. It takes the place of the type's
 * `MessageCodec` wherever messages are written and read; its "messages" are `Uint8Array`s:
 *
 * - `write(bytes, …)` decodes: same result and same sink as for a message. Throws a KoalaError
 *   `ERR_SCHEMA_PROTOBUF` with position and reason for bytes that are not a message of the type.
 * - `read(…)` and `view(…)` encode: both give a new `Buffer` of the exact length.
 * - `validate`, `hash`, `rootBytes` and `typeName` are those of the type.
 *
 * The other functions are for gateways, which must not throw and put bytes where they want them.
 */
export interface ProtobufCodec extends MessageCodec<Uint8Array> {
  read(memory: Memory, offset: number, inlineLength: number): Buffer;
  view(memory: Memory, offset: number, inlineLength: number): Buffer;

  /** Bytes of a validated message in protobuf's encoding. */
  size(memory: Memory, offset: number, inlineLength: number): number;

  /**
   * Encodes a validated message, which nobody may change meanwhile, to `target[start..)`. Returns the position
   * behind its last byte, or minus the message's size when the target has no room for it; nothing is written
   * then. Fields go by number, unknown fields last.
   */
  encode(
    memory: Memory,
    offset: number,
    inlineLength: number,
    target: Uint8Array,
    start: number,
  ): number;

  /**
   * Encodes a validated message to a new buffer, behind `prefixBytes` bytes that are the caller's to fill in (5
   * for the prefix of gRPC and Connect).
   */
  encodeBehind(memory: Memory, offset: number, inlineLength: number, prefixBytes: number): Buffer;

  /**
   * Decodes `source[start..end)` to `memory[offset..limit)`. Returns the inline length (a multiple of 8), minus the
   * bytes to try next when it does not fit, or 0 when the bytes are not a message of the type: then `problem`
   * and `problemAt` say why. Large bytes go to `segments` as parts of `source`. Never throws for what is in
   * `source`, and reads nothing outside of it. What it writes is what `validate` accepts.
   */
  decode(
    source: Uint8Array,
    start: number,
    end: number,
    memory: Memory,
    offset: number,
    limit: number,
    segments: SegmentSink,
  ): number;

  /** Why the last `decode` that returned 0 did so: an index into `protobufReasons`. */
  readonly problem: ProtobufCode;
  /** The position in its source where that was seen. */
  readonly problemAt: number;
}

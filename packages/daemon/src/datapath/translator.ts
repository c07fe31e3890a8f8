/** Brings messages from one version of a schema to another, in private memory. */

import { BATCH_RECORD_BYTES, padTo8 } from "@koala/protocol";
import { type MessageCodec, type Transcoder, validateReasons } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";
import { Body } from "./body.ts";
import { copyBytes } from "./copy-bytes.ts";

const bytesFirst = 16 * 1024;
const noLengths = new Int32Array(0);

/** "" when the message is in order, else what is wrong; `memory` must be out of reach of the app. */
export function checkMessage(
  codec: MessageCodec,
  memory: Memory,
  offset: number,
  body: Body,
): string {
  if (body.inlineLength === 0) return "";
  if (body.count !== 1) return checkRecords(codec, memory, offset, body);
  const { inlineLength, segmentLengths, segmentCount } = body;
  const code = codec.validate(memory, offset, inlineLength, segmentLengths, segmentCount);
  return code === 0 ? "" : `malformed ${codec.typeName}: ${validateReasons[code] ?? "not valid"}`;
}

/** The same for a row of records, see slot.ts. */
function checkRecords(codec: MessageCodec, memory: Memory, offset: number, body: Body): string {
  const { inlineLength, count, segmentCount } = body;
  if (segmentCount > 0) return "several messages with segments in one block";
  const end = offset + inlineLength;
  let at = offset;
  for (let i = 0; i < count; i++) {
    const length = at + BATCH_RECORD_BYTES <= end ? memory.i32[at >> 2]! : 0;
    at += BATCH_RECORD_BYTES;
    if (length <= 0 || length % 8 !== 0 || length > end - at) {
      return `a record of ${length} bytes, the ${i + 1}. of ${count}`;
    }
    const code = codec.validate(memory, at, length, noLengths, 0);
    if (code !== 0) return `malformed ${codec.typeName}: ${validateReasons[code] ?? "not valid"}`;
    at += length;
  }
  return at === end
    ? ""
    : `${count} records in ${inlineLength} bytes, of which ${end - at} are left`;
}

export class Translator {
  /** Why `translate` returned undefined: what is malformed; "" when it can't be said in the target's schema. */
  invalidReason = "";
  private readonly result = new Body();
  private source: Memory = openMemory(new ArrayBuffer(bytesFirst));
  private target: Memory = openMemory(new ArrayBuffer(bytesFirst));

  /**
   * The message in the transcoder's target layout, trusted; undefined when it is malformed or has no
   * equivalent there. The result is reused by the next call. Segments and everything behind them stay
   * where they are.
   */
  translate(body: Body, codec: MessageCodec, transcoder: Transcoder): Body | undefined {
    let { memory, offset } = body;
    if (!body.trusted) {
      if (this.source.buffer.byteLength < body.inlineLength) {
        this.source = openMemory(new ArrayBuffer(padTo8(body.inlineLength * 2)));
      }
      copyBytes(memory, offset, this.source, 0, body.inlineLength);
      memory = this.source;
      offset = 0;
    }
    this.invalidReason = checkMessage(codec, memory, offset, body);
    if (this.invalidReason !== "") return undefined;
    const length =
      body.count === 1
        ? this.transcode(memory, offset, body.inlineLength, transcoder, 0)
        : this.transcodeRecords(memory, offset, body.count, transcoder);
    return length === 0 ? undefined : this.describe(body, this.target, length);
  }

  /** One message to the target's memory from `at` on, which grows if need be; its length, 0: it can't be said. */
  private transcode(
    memory: Memory,
    offset: number,
    inlineLength: number,
    transcoder: Transcoder,
    at: number,
  ): number {
    for (;;) {
      const { target } = this;
      const limit = target.buffer.byteLength;
      const length = transcoder.transcode(memory, offset, inlineLength, target, at, limit);
      if (length >= 0) return length;
      const larger = openMemory(new ArrayBuffer(padTo8(Math.max(limit * 2, at - length))));
      target.node.copy(larger.node, 0, 0, at);
      this.target = larger;
    }
  }

  private transcodeRecords(
    memory: Memory,
    offset: number,
    count: number,
    transcoder: Transcoder,
  ): number {
    let from = offset;
    let to = 0;
    for (let i = 0; i < count; i++) {
      const inlineLength = memory.i32[from >> 2]!;
      from += BATCH_RECORD_BYTES;
      const at = to + BATCH_RECORD_BYTES;
      const length = this.transcode(memory, from, inlineLength, transcoder, at);
      if (length === 0) return 0;
      this.target.i32[to >> 2] = length;
      this.target.i32[(to >> 2) + 1] = 0;
      from += inlineLength;
      to = at + length;
    }
    return to;
  }

  private describe(body: Body, memory: Memory, inlineLength: number): Body {
    const { result } = this;
    result.copyFrom(body);
    result.trusted = true;
    result.memory = memory;
    result.offset = 0;
    result.inlineLength = inlineLength;
    return result;
  }
}

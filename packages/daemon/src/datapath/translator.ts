/** Brings messages from one version of a schema to another, in private memory. */

import { padTo8 } from "@koala/protocol";
import { type MessageCodec, type Transcoder, validateReasons } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";
import { Body } from "./body.ts";
import { copyBytes } from "./copy-bytes.ts";

const bytesFirst = 16 * 1024;

/** "" when the message is in order, else what is wrong; `memory` must be out of reach of the app. */
export function checkMessage(
  codec: MessageCodec,
  memory: Memory,
  offset: number,
  body: Body,
): string {
  if (body.inlineLength === 0) return "";
  const { inlineLength, segmentLengths, segmentCount } = body;
  const code = codec.validate(memory, offset, inlineLength, segmentLengths, segmentCount);
  return code === 0 ? "" : `malformed ${codec.typeName}: ${validateReasons[code] ?? "not valid"}`;
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
    for (;;) {
      const { target } = this;
      const room = target.buffer.byteLength;
      const length = transcoder.transcode(memory, offset, body.inlineLength, target, 0, room);
      if (length > 0) return this.describe(body, target, length);
      if (length === 0) return undefined;
      this.target = openMemory(new ArrayBuffer(padTo8(Math.max(room * 2, -length))));
    }
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

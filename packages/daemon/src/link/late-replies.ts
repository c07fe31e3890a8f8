/** Bare statuses that a link owes to its peer and that have found no room yet. */
import { FrameType } from "@koala/protocol";
import { Body } from "../datapath/body.ts";
import { Outcome } from "../datapath/call.ts";
import type { LateReply } from "./late-reply.ts";
import type { FrameHead, MessageWriter } from "./message-writer.ts";
import { noCodec } from "./no-codec.ts";

export class LateReplies {
  /** In the order in which calls ended. */
  readonly waiting: LateReply[] = [];
  private readonly writer: MessageWriter;
  private readonly metadataBytesMax: () => number;
  private readonly text = new Body();
  private readonly head: FrameHead = {
    type: FrameType.RESPONSE,
    flags: 0,
    value16: 0,
    stream: 0,
    fromCallee: true,
    binding: 0,
    timeoutMs: 0,
  };

  /** `metadataBytesMax`: what the far side takes. */
  constructor(writer: MessageWriter, metadataBytesMax: () => number) {
    this.writer = writer;
    this.metadataBytesMax = metadataBytesMax;
  }

  /** Sends a status, now or as soon as there is room; true when it was now. */
  send(reply: LateReply): boolean {
    if (this.put(reply)) return true;
    this.waiting.push(reply);
    return false;
  }

  /** Room may have come. */
  drain(): void {
    while (this.waiting.length > 0 && this.put(this.waiting[0]!)) this.waiting.shift();
  }

  private put({ stream, value16, message, trailers }: LateReply): boolean {
    const { head } = this;
    head.value16 = value16;
    head.stream = stream;
    const fits = trailers !== null && trailers.length <= this.metadataBytesMax();
    this.text.setText(message, fits ? trailers : null);
    // A bare status has no message, so no codec looks at it.
    return this.writer.write(head, this.text, noCodec) !== Outcome.PARK;
  }
}

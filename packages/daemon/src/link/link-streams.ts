/** Messages of streaming calls on their way to a peer: STREAM_MESSAGE and STREAM_CREDIT frames of a link. */
import { FrameFlag, FrameType, SlotFlag } from "@koala/protocol";
import type { Body } from "../datapath/body.ts";
import { Outcome } from "../datapath/call.ts";
import { ParkQueue } from "../datapath/park-queue.ts";
import type { Router } from "../datapath/router.ts";
import type { Translator } from "../datapath/translator.ts";
import type { Flow } from "../streams/flow.ts";
import type { FrameSender } from "./frame-sender.ts";
import type { FrameHead, MessageWriter } from "./message-writer.ts";

export interface LinkStreamsOptions {
  router: Router;
  writer: MessageWriter;
  frames: FrameSender;
  translator: Translator;
}

export class LinkStreams {
  /** Why the last `message` answered INVALID. */
  invalidReason = "";
  private readonly options: LinkStreamsOptions;
  /** Flows that wait for room in the output, or for credit of the link. */
  private readonly parked: ParkQueue<Flow>;
  /** Flows whose sender, over there, is yet to be told of credit. */
  private readonly lateCredits = new Set<Flow>();
  private readonly head: FrameHead = {
    type: FrameType.STREAM_MESSAGE,
    flags: 0,
    value16: 0,
    stream: 0,
    fromCallee: false,
    binding: 0,
    timeoutMs: 0,
  };

  constructor(options: LinkStreamsOptions) {
    this.options = options;
    this.parked = new ParkQueue((flow) => options.router.streams.offer(flow));
  }

  get length(): number {
    return this.parked.length;
  }

  /** Room may have come. Each flow is offered: one may wait for its own large message only. */
  drain(): void {
    for (const flow of this.lateCredits) {
      if (this.options.frames.waitingCount > 0) break;
      this.lateCredits.delete(flow);
      if (flow.isCurrent && flow.grantDue > 0) this.credit(flow);
    }
    if (this.parked.length > 0) this.parked.drainAll();
  }

  /** See `Party.message`. */
  message(flow: Flow, body: Body): Outcome {
    const { writer } = this.options;
    const { call } = flow;
    const { head } = this;
    head.fromCallee = !flow.toCallee;
    head.stream = streamOf(flow);
    if (writer.isSending(head.stream, head.fromCallee)) return this.park(flow);
    let codec = flow.toCallee ? call.method!.input : (call.replyCodec ?? call.method!.output);
    let message = body;
    if (!flow.toCallee && call.replyTranscoder !== null && body.inlineLength > 0) {
      const { translator } = this.options;
      const translated = translator.translate(body, codec, call.replyTranscoder);
      if (translated === undefined) {
        this.invalidReason = translator.invalidReason;
        return this.invalidReason === "" ? Outcome.UNTRANSLATABLE : Outcome.INVALID;
      }
      message = translated;
      codec = call.method!.output;
    }
    head.flags = frameFlags(body.streamFlags);
    head.binding = body.count;
    head.timeoutMs = body.cost;
    const outcome = writer.write(head, message, codec);
    if (outcome === Outcome.INVALID) this.invalidReason = writer.invalidReason;
    return outcome === Outcome.PARK ? this.park(flow) : outcome;
  }

  /** See `Party.isSending`. */
  isSending(flow: Flow): boolean {
    return this.options.writer.isSending(streamOf(flow), !flow.toCallee);
  }

  /** See `Party.credit`. While frames wait, one flow's credit adds up: it is up to apps how often they grant. */
  credit(flow: Flow): void {
    if (this.options.frames.waitingCount > 0) {
      this.lateCredits.add(flow);
      return;
    }
    const bytes = flow.grantDue;
    flow.grantDue = 0;
    // The far side is the flow's sender: its callee has granted it if it is the caller there.
    const flags = flow.toCallee ? FrameFlag.FROM_CALLEE : 0;
    const stream = flow.toCallee ? flow.call.callerId : flow.call.id | 0;
    this.options.frames.sendShort(FrameType.STREAM_CREDIT, stream, bytes, 0, flags);
  }

  /** See `Party.adoptFlow`. */
  adopt(flow: Flow): void {
    this.parked.push(flow);
  }

  private park(flow: Flow): Outcome {
    this.parked.push(flow);
    return Outcome.PARK;
  }
}

/** What the link calls the call of a flow whose messages it takes. */
function streamOf({ call, toCallee }: Flow): number {
  return toCallee ? call.id | 0 : call.callerId;
}

function frameFlags(streamFlags: number): number {
  return (
    ((streamFlags & SlotFlag.END) === 0 ? 0 : FrameFlag.END) |
    ((streamFlags & SlotFlag.HEADERS) === 0 ? 0 : FrameFlag.HEADERS)
  );
}

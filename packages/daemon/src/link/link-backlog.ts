/** What waits for room in a link's output, in the order in which it goes in. */
import type { Call } from "../datapath/call.ts";
import type { ParkQueue } from "../datapath/park-queue.ts";
import type { FrameSender } from "./frame-sender.ts";
import type { LateReplies } from "./late-replies.ts";
import type { LinkOutput } from "./link-output.ts";
import type { LinkStreams } from "./link-streams.ts";
import type { MessageWriter } from "./message-writer.ts";

export interface BacklogParts {
  output: LinkOutput;
  frames: FrameSender;
  lateReplies: LateReplies;
  streams: LinkStreams;
  parked: ParkQueue<Call>;
  writer: MessageWriter;
}

export class LinkBacklog {
  private readonly parts: BacklogParts;

  constructor(parts: BacklogParts) {
    this.parts = parts;
  }

  get isEmpty(): boolean {
    const { frames, lateReplies, streams, parked, writer } = this.parts;
    return (
      frames.waitingCount === 0 &&
      lateReplies.waiting.length === 0 &&
      parked.length === 0 &&
      streams.length === 0 &&
      writer.largeCount === 0
    );
  }

  /** The output is empty: what has been waiting for it goes in. True if something did. */
  send(): boolean {
    const { output, frames, lateReplies, streams, parked, writer } = this.parts;
    const before = output.enqueued;
    frames.drain();
    lateReplies.drain();
    streams.drain();
    parked.drain();
    if (writer.largeCount > 0) writer.pump();
    return output.enqueued > before;
  }
}

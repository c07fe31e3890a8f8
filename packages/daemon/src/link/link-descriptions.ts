/**
 * Descriptors of services across a link, both directions, for those who have no code of a service. A question
 * that was on its way when a daemon was replaced has no answer any more; who asked asks again.
 */
import {
  DESCRIBE_FEATURE,
  type Describe,
  FrameType,
  type Hello,
  SHORT_HEADER_BYTES,
} from "@koala/protocol";
import type { Reach } from "../datapath/binding.ts";
import type { Router } from "../datapath/router.ts";
import { describeService, type OnDescribed } from "../datapath/service-lookup.ts";
import type { ColdSender } from "./link-bindings.ts";

/** Bytes of descriptors in one frame. */
const pieceBytes = 64 * 1024;
/** Questions that may be open on a link, in each direction. */
const questionsMax = 64;

interface Question {
  readonly done: OnDescribed;
  readonly pieces: Uint8Array[];
  bytes: number;
}

export interface LinkDescriptionsOptions {
  link: { readonly peer: Hello | null };
  sender: ColdSender;
  router: Router;
  schemaBytesMax: number;
  reach: Reach;
}

export class LinkDescriptions {
  private readonly options: LinkDescriptionsOptions;
  private readonly mine = new Map<number, Question>();
  private lastId = 0;
  private theirs = 0;
  private isClosed = false;

  constructor(options: LinkDescriptionsOptions) {
    this.options = options;
  }

  /** Asks the far daemon; `done` is called once, perhaps at once, unless this daemon is replaced before. */
  ask(question: Describe, done: OnDescribed): void {
    const { link, sender } = this.options;
    const canAnswer = link.peer?.features.includes(DESCRIBE_FEATURE) === true;
    if (!canAnswer || this.isClosed || this.mine.size >= questionsMax) {
      done(undefined);
      return;
    }
    this.lastId = (this.lastId + 1) & 0x7fffffff;
    this.mine.set(this.lastId, { done, pieces: [], bytes: 0 });
    sender.sendJson(FrameType.DESCRIBE, this.lastId, question);
  }

  /** The far daemon asks. Returns what is wrong, "" if nothing. */
  onAsked(id: number, question: Describe): string {
    const { router, reach } = this.options;
    if (this.theirs >= questionsMax) {
      this.answer(id, new Uint8Array(0));
      return "";
    }
    this.theirs++;
    describeService(router, question, reach, (bytes) => {
      this.theirs--;
      if (!this.isClosed) this.answer(id, bytes ?? new Uint8Array(0));
    });
    return "";
  }

  /** A piece of an answer of `total` bytes. */
  onPiece(id: number, total: number, frame: Uint8Array): string {
    const question = this.mine.get(id);
    if (question === undefined) return "";
    if (total < 0 || total > this.options.schemaBytesMax) {
      return `descriptors of ${total} bytes, expected up to ${this.options.schemaBytesMax}`;
    }
    const piece = frame.slice(SHORT_HEADER_BYTES, SHORT_HEADER_BYTES + total - question.bytes);
    if (piece.length === 0 && total > 0) return "an empty piece of descriptors";
    question.pieces.push(piece);
    question.bytes += piece.length;
    if (question.bytes < total) return "";
    this.mine.delete(id);
    question.done(total === 0 ? undefined : Buffer.concat(question.pieces));
    return "";
  }

  close(): void {
    this.isClosed = true;
    const questions = [...this.mine.values()];
    this.mine.clear();
    for (const { done } of questions) done(undefined);
  }

  private answer(id: number, bytes: Uint8Array): void {
    const { sender } = this.options;
    if (bytes.length === 0) sender.sendBytes(FrameType.DESCRIBED, id, 0, bytes);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      sender.sendBytes(FrameType.DESCRIBED, id, bytes.length, piece);
    }
  }
}

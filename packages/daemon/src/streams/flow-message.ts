/**
 * Messages of a flow as policies read and change them, one after the other. As with requests, what they see
 * is a private copy, which is what goes on.
 */
import {
  type LiveCall,
  listensToStream,
  malformedMessage,
  Passage,
  runStreamMessage,
  type StreamMessageSource,
} from "@koala/policy/engine";
import { BATCH_RECORD_BYTES, padTo8 } from "@koala/protocol";
import type { MessageCodec, SegmentSink } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";
import type { Body } from "../datapath/body.ts";
import { isContiguous, type PolicyMemory } from "../datapath/body-message.ts";
import { copyBytes } from "../datapath/copy-bytes.ts";
import { checkMessage } from "../datapath/translator.ts";
import type { Flow } from "./flow.ts";

const roomFirst = 4 * 1024;
/** A message that a policy has made is in one piece. */
const noSegments: SegmentSink = { add: () => -1 };

/** Where one message lies. */
interface Piece {
  memory: Memory;
  offset: number;
  length: number;
}

export class FlowMessage implements StreamMessageSource {
  private readonly memory: PolicyMemory;
  private flow: Flow | null = null;
  private body: Body | null = null;
  private codec: MessageCodec | null = null;
  private offset = 0;
  private length = 0;
  private isChecked = false;
  private view: unknown = undefined;
  private replacement: Piece | null = null;

  constructor(memory: PolicyMemory) {
    this.memory = memory;
  }

  get from(): "client" | "server" {
    return this.flow!.toCallee ? "client" : "server";
  }

  get index(): number {
    return this.flow!.seen;
  }

  get bytes(): number {
    return this.length + (this.body!.count === 1 ? this.body!.segmentBytes : 0);
  }

  /** Runs all messages of a block through the policies of the call. */
  run(live: LiveCall, flow: Flow, body: Body, codec: MessageCodec): Passage {
    if (body.count === 0 || !listensToStream(live)) {
      flow.seen += body.count;
      return Passage.PASSED;
    }
    this.flow = flow;
    this.body = body;
    this.codec = codec;
    this.isChecked = false;
    let passage: Passage = Passage.PASSED;
    try {
      // Where a record lies is up to the app until it was checked in a copy.
      if (body.count > 1) this.makePrivate();
      passage = body.count === 1 ? this.runOne(live, body) : this.runRecords(live, body);
    } catch (error) {
      if (error !== malformedMessage) throw error;
      passage = Passage.MALFORMED;
    }
    this.flow = null;
    this.body = null;
    this.codec = null;
    this.view = undefined;
    return passage;
  }

  read(): unknown {
    if (this.view !== undefined) return this.view;
    if (this.replacement !== null) {
      const { memory, offset, length } = this.replacement;
      this.view = this.codec!.view(memory, offset, length);
      return this.view;
    }
    this.makePrivate();
    const { count, memory, offset } = this.body!;
    this.view = this.codec!.view(memory, count === 1 ? offset : this.offset, this.length);
    return this.view;
  }

  replace(message: unknown): void {
    let room = Math.max(roomFirst, 2 * this.length);
    for (;;) {
      const memory = openMemory(new ArrayBuffer(room));
      const length = this.codec!.write(message, memory, 0, room, noSegments);
      if (length > 0) {
        this.replacement = { memory, offset: 0, length };
        this.view = undefined;
        return;
      }
      room = padTo8(Math.max(2 * room, -length));
    }
  }

  private runOne(live: LiveCall, body: Body): Passage {
    this.length = body.inlineLength;
    const passage = this.pass(live);
    if (this.replacement === null) return passage;
    const { memory, length } = this.replacement;
    this.replacement = null;
    body.discard();
    body.owner = null;
    body.trusted = true;
    body.inlineLength = length;
    body.segmentCount = 0;
    body.segmentBytes = 0;
    body.place(memory, 0);
    return passage;
  }

  private runRecords(live: LiveCall, body: Body): Passage {
    const { count, memory } = body;
    const pieces: Piece[] = [];
    let isChanged = false;
    let at = body.offset;
    for (let i = 0; i < count; i++) {
      this.length = memory.i32[at >> 2]!;
      this.offset = at + BATCH_RECORD_BYTES;
      at = this.offset + this.length;
      const passage = this.pass(live);
      if (passage !== Passage.PASSED) return passage;
      isChanged ||= this.replacement !== null;
      pieces.push(this.replacement ?? { memory, offset: this.offset, length: this.length });
      this.replacement = null;
    }
    if (isChanged) layOut(body, pieces);
    return Passage.PASSED;
  }

  private pass(live: LiveCall): Passage {
    this.view = undefined;
    this.replacement = null;
    const passage = runStreamMessage(live, this);
    this.flow!.seen++;
    return passage;
  }

  /** Copies the block out of reach of the app and checks it there. Throws `malformedMessage`. */
  private makePrivate(): void {
    if (this.isChecked) return;
    this.isChecked = true;
    const body = this.body!;
    if (!body.trusted || !isContiguous(body)) {
      const memory = this.memory.body(body.bodyBytes());
      copyBytes(body.memory, body.offset, memory, 0, body.inlineLength);
      body.copySegments(memory, body.inlineLength);
      body.discard();
      const { tail, traceOffset } = body;
      body.place(memory, 0);
      body.placeTail(tail, traceOffset);
      // Nothing of the app's memory is referred to any more, so nobody has to wait for its release.
      body.owner = null;
      body.trusted = true;
    }
    if (checkMessage(this.codec!, body.memory, body.offset, body) !== "") throw malformedMessage;
  }
}

/** Makes a block of records of these messages. */
function layOut(body: Body, pieces: readonly Piece[]): void {
  const bytes = pieces.reduce((sum, { length }) => sum + BATCH_RECORD_BYTES + length, 0);
  const memory = openMemory(new ArrayBuffer(bytes));
  let at = 0;
  for (const piece of pieces) {
    memory.i32[at >> 2] = piece.length;
    at += BATCH_RECORD_BYTES;
    copyBytes(piece.memory, piece.offset, memory, at, piece.length);
    at += piece.length;
  }
  body.inlineLength = bytes;
  body.place(memory, 0);
}

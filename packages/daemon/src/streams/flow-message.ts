/**
 * Messages of a flow as policies read and change them, one after the other. As with requests, what they see
 * is a private copy, which is what goes on.
 */
import {
  type LiveCall,
  malformedMessage,
  Passage,
  runStreamMessage,
  type StreamMessageSource,
} from "@koala/policy/engine";
import { BATCH_RECORD_BYTES, padTo8, SlotFlag } from "@koala/protocol";
import type { MessageCodec, SegmentSink } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";
import { Body } from "../datapath/body.ts";
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
  private rest: Body | null = null;

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
    if (this.replacement !== null) return this.replacement.length;
    return this.length + (this.body!.count === 1 ? this.body!.segmentBytes : 0);
  }

  /** Messages from the denied one on, as a block of their own; null when it was the first of its block. */
  takeRest(): Body | null {
    const { rest } = this;
    this.rest = null;
    return rest;
  }

  /** Runs all messages of a block through the policies of the call, until one is denied. */
  run(live: LiveCall, flow: Flow, body: Body, codec: MessageCodec): Passage {
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
    body.discard();
    body.owner = null;
    body.trusted = true;
    body.segmentCount = 0;
    body.segmentBytes = 0;
    layOut(body, [this.replacement]);
    this.replacement = null;
    return passage;
  }

  private runRecords(live: LiveCall, body: Body): Passage {
    const { count, memory } = body;
    // Made when one of them is changed, or denied.
    let pieces: Piece[] | null = null;
    let at = body.offset;
    for (let i = 0; i < count; i++) {
      this.length = memory.i32[at >> 2]!;
      this.offset = at + BATCH_RECORD_BYTES;
      const passage = this.pass(live);
      if (passage === Passage.DENIED && i > 0) {
        this.rest = restFrom(body, at, count - i);
        layOut(body, pieces ?? piecesOf(body, i));
      }
      if (passage !== Passage.PASSED) return passage;
      if (this.replacement !== null) pieces ??= piecesOf(body, i);
      pieces?.push(this.replacement ?? { memory, offset: this.offset, length: this.length });
      this.replacement = null;
      at = this.offset + this.length;
    }
    if (pieces !== null) layOut(body, pieces);
    return Passage.PASSED;
  }

  private pass(live: LiveCall): Passage {
    this.view = undefined;
    this.replacement = null;
    const passage = runStreamMessage(live, this);
    if (passage === Passage.PASSED) this.flow!.seen++;
    return passage;
  }

  /** Copies the block out of reach of the app and checks it there. Throws `malformedMessage`. */
  private makePrivate(): void {
    if (this.isChecked) return;
    this.isChecked = true;
    const body = this.body!;
    // A row of records may be laid out anew, so it must not lie where one block of an app's heap was taken for it.
    if (!body.trusted || !isContiguous(body) || (body.count > 1 && body.placedIn !== null)) {
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

/** The first messages of a block of records. */
function piecesOf({ memory, offset: start }: Body, count: number): Piece[] {
  const pieces: Piece[] = [];
  let offset = start + BATCH_RECORD_BYTES;
  for (let i = 0; i < count; i++) {
    const length = memory.i32[(offset - BATCH_RECORD_BYTES) >> 2]!;
    pieces.push({ memory, offset, length });
    offset += length + BATCH_RECORD_BYTES;
  }
  return pieces;
}

/** What is in a block of records from one of them on. The block keeps what the messages cost, and loses the end. */
function restFrom(body: Body, at: number, count: number): Body {
  const rest = new Body();
  rest.copyFrom(body);
  rest.cost = 0;
  rest.count = count;
  body.streamFlags &= ~SlotFlag.END;
  const bare = count === 1 ? BATCH_RECORD_BYTES : 0;
  rest.inlineLength = body.offset + body.inlineLength - at - bare;
  rest.place(body.memory, at + bare);
  return rest.privateCopy();
}

/** Makes these messages the content of a block. */
function layOut(body: Body, pieces: readonly Piece[]): void {
  const [first] = pieces;
  body.count = pieces.length;
  if (pieces.length === 1) {
    body.inlineLength = first!.length;
    body.place(first!.memory, first!.offset);
    return;
  }
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

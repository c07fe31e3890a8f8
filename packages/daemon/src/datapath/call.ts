/**
 * One call inside one runtime, and the table of all of them.
 *
 * A call is made when its request arrives and ends when its caller has got the one reply that it gets.
 * The table's id names the call towards its callee (call id in slots to a server app, stream on a link);
 * towards its caller it has the id that the caller gave it. Ids carry a generation, so a late or
 * invented id finds nothing. Objects are pooled: a call costs no garbage.
 */
import type { Origin, Status } from "@koala/interface";
import type { Endpoint } from "@koala/policy";
import type { LiveCall } from "@koala/policy/engine";
import { SLOT_WORDS } from "@koala/protocol";
import { Timer } from "@koala/runtime";
import type { MessageCodec, MethodSchema, Transcoder } from "@koala/schema";
import type { Heap } from "@koala/shm";
import type { CallNote } from "../observe/call-note.ts";
import type { CallStream, Flow } from "../streams/flow.ts";
import type { AttemptGroup, PolicyAttempt } from "./attempts.ts";
import type { Binding } from "./binding.ts";
import type { Body } from "./body.ts";
import type { PartyEndpoint } from "./endpoints.ts";
import type { ParkQueue } from "./park-queue.ts";

/** What came of handing a request or a reply on. */
export const Outcome = {
  /** It is on its way; the source may reuse its memory as the rules of its side say. */
  DONE: 0,
  /** No room now: the source keeps the message and offers it again when it is asked to. */
  PARK: 1,
  /** The message is malformed; the source is to blame. `Party.invalidReason` says how. */
  INVALID: 2,
  /**
   * It is on its way, but the output still reads the source's memory: the block must stay until
   * `BlockOwner.releaseBlock` is called for it.
   */
  HELD: 3,
  /**
   * The message is in order, but the schema of the other side has no way to say it (bytes that are no
   * UTF-8 for a field that became a string there, say). The source ends the call: `Router.failUntranslatable`.
   */
  UNTRANSLATABLE: 4,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Memory that the bytes of a large message may be received to, so that nobody copies them again. */
export interface Receiver {
  readonly heap: Heap;
  /** Takes a block of so many bytes, named by `heap.tag` and `heap.offset`; false when there is no room. */
  reserve(bytes: number): boolean;
}

/** One side of a call: an app of this host, or a link to another daemon. */
export interface Party {
  /** Of apps. */
  readonly receive?: Receiver | undefined;
  /** For logs and status messages. */
  readonly label: string;
  /** It is of this host: an app, or another runtime of this daemon. */
  readonly isLocal: boolean;
  /** It is an app of this runtime, so the policies of the server's side have their turn here. */
  readonly isApp: boolean;
  /** It makes calls for policies. */
  readonly isPolicy?: boolean;
  /** Why the last `begin` or `finish` answered INVALID. */
  readonly invalidReason: string;
  /** This party serves the call: hands it the request. */
  begin(call: Call, body: Body): Outcome;
  /**
   * This party serves the call, but nobody waits for the reply any more. It ends the call, now or when
   * its reply arrives.
   */
  cancel(call: Call, reason: Status): void;
  /** This party made the call: hands it the reply. */
  finish(call: Call, status: Status, origin: Origin, body: Body): Outcome;
  /**
   * This party made the call: hands it a status of the daemon's own, with encoded metadata for trailers.
   * Always taken, if need be late.
   */
  finishWith(
    call: Call,
    status: Status,
    origin: Origin,
    message: string,
    trailers: Uint8Array | null,
  ): void;
  /** This party sent a message that is parked elsewhere: offers it again. True if it is not parked any more. */
  retry(call: Call): boolean;
  /** This party sent a reply that is parked elsewhere, and nobody wants it any more. */
  dropReply(call: Call): void;
  /** This party made the call, and its request is parked: where that is. Null when it is no good. */
  parkedRequest(call: Call): Body | null;
  /**
   * Messages of a streaming call for this party. PARK: it offers the flow again (`Streams.offer`) once
   * there is room.
   */
  message(flow: Flow, body: Body): Outcome;
  /**
   * Of links: an earlier message of the flow is still on its way out. A status would overtake it, so where
   * policies may end the call the next message waits, adopted by this party.
   */
  isSending?(flow: Flow): boolean;
  /** Tells this party, which sends the flow's messages, of `flow.grantDue`; of all of it, if need be late. */
  credit(flow: Flow): void;
  /** Messages of this flow wait for room here, behind those adopted before. For restored calls. */
  adoptFlow(flow: Flow): void;
  /** A message that this party has sent turned out to be malformed after it was taken. */
  blame(reason: string): void;
}

/** An app whose send blocks other parts of the daemon may refer to for a while. */
export interface BlockOwner {
  /** Keeps the app's memory mapped until as many `unpin` calls came. */
  pin(): void;
  unpin(): void;
  /** Tells the app that its block is its own again. */
  releaseBlock(tag: number, offset: number): void;
}

/** A link that keeps a parked message. */
export interface CopyOwner {
  /** The message was delivered or is not needed any more: its bytes count as received. */
  dropCopy(call: Call): void;
}

/** Which message of a call is parked. */
export const Parked = { NO: 0, REQUEST: 1, REPLY: 2 } as const;
export type Parked = (typeof Parked)[keyof typeof Parked];

const INDEX_BITS = 20;
const INDEX_MASK = (1 << INDEX_BITS) - 1;
const GENERATION_MASK = (1 << (32 - INDEX_BITS)) - 1;

export class Call {
  /** Towards the callee; unsigned 32 bits. */
  id = 0;
  open = false;
  caller: Party | null = null;
  /** The caller's own number for the call. */
  callerId = 0;
  callee: Party | null = null;
  binding: Binding | null = null;
  /** The caller's schema of the method. */
  method: MethodSchema | null = null;
  waitForReady = false;
  /** Export id (callee is an app) or binding id (callee is a link), for the callee's use. */
  calleeTarget = 0;
  calleeMethod = 0;
  requestTranscoder: Transcoder | null = null;
  /** Layout of what the callee sends back, before `replyTranscoder`. */
  replyCodec: MessageCodec | null = null;
  replyTranscoder: Transcoder | null = null;
  /** Moment by the runtime's clock, ms; 0 = none. */
  deadlineMs = 0;
  readonly timer: Timer;
  parked: Parked = Parked.NO;
  /** Where it waits while its message is parked. */
  queue: ParkQueue<Call> | null = null;
  /** The request's block in a callee app's receive heap. */
  blockTag = 0;
  blockOffset = 0;
  /** The slot that brought the parked message from an app. */
  readonly slot: Int32Array = new Int32Array(SLOT_WORDS);
  /** The parked message of a link. Owned by the call. */
  copy: Body | null = null;
  /** The link that the copied message came from, and what it cost of the link's window. */
  copyOwner: CopyOwner | null = null;
  copyBytes = 0;
  /** The output of a link still refers to the request's block in the caller's send heap. */
  holdsRequest = false;
  status: Status = 0;
  origin: Origin = 0;
  /**
   * What policies know of the call; made when the first one has to do with it, and reused. `chain` in it is
   * null when none has.
   */
  live: LiveCall | null = null;
  /** Its messages after the first and before the last; null for a call that has none. */
  stream: CallStream | null = null;
  /** Whom a routing policy chose. */
  endpoint: PartyEndpoint | null = null;
  /** Endpoints that get it only if nobody else can. */
  avoid: readonly Endpoint[] | null = null;
  /** Attempts that a policy makes to get this call done. */
  attempts: AttemptGroup | null = null;
  /** This call is such an attempt, or a mirrored one. */
  attempt: PolicyAttempt | null = null;

  // For the observer, which sets them when the call begins.

  /** When the request came in, had passed the policies, was handed on; when the reply came. Runtime's clock, 0: not yet. */
  beganMs = 0;
  passedMs = 0;
  sentMs = 0;
  repliedMs = 0;
  /** The status that it is about to end with, for others than OK. */
  outcome: Status = 0;
  /** What is noted of it besides; null for most calls. */
  note: CallNote | null = null;

  constructor(table: CallTable) {
    this.timer = new Timer(() => table.onDeadline(this));
  }
}

export class CallTable {
  /** Set by the router: what happens to a call whose deadline passes. */
  onDeadline: (call: Call) => void = () => {};
  /** Calls that are open. */
  count = 0;
  /** The first one is never used: as a stream, 0 means the link itself (CREDIT). */
  private readonly calls: Call[] = [new Call(this)];
  private readonly free: Call[] = [];

  /** A new call; undefined when the table is full (a million calls). */
  openCall(): Call | undefined {
    let call = this.free.pop();
    if (call === undefined) {
      if (this.calls.length > INDEX_MASK) return undefined;
      call = new Call(this);
      call.id = this.calls.length;
      this.calls.push(call);
    }
    call.open = true;
    this.count++;
    return call;
  }

  /** The open call with this id; undefined for any other number. */
  get(id: number): Call | undefined {
    const call = this.calls[id & INDEX_MASK];
    return call !== undefined && call.id === id && call.open ? call : undefined;
  }

  /** Ends a call; the object goes back to the pool under a new id. */
  closeCall(call: Call): void {
    const index = call.id & INDEX_MASK;
    const generation = ((call.id >>> INDEX_BITS) + 1) & GENERATION_MASK;
    call.id = ((generation << INDEX_BITS) | index) >>> 0;
    call.open = false;
    call.queue?.remove(call);
    call.caller = null;
    call.callee = null;
    call.method = null;
    call.binding = null;
    call.waitForReady = false;
    call.replyCodec = null;
    call.requestTranscoder = null;
    call.replyTranscoder = null;
    call.deadlineMs = 0;
    call.parked = Parked.NO;
    call.blockTag = 0;
    call.copy = null;
    call.copyOwner = null;
    call.copyBytes = 0;
    call.holdsRequest = false;
    call.attempts = null;
    call.attempt = null;
    call.avoid = null;
    call.stream = null;
    this.count--;
    this.free.push(call);
  }

  /** By index: the id of the open call, or the one that the next call gets. */
  ids(): Uint32Array {
    return Uint32Array.from(this.calls, (call) => call.id);
  }

  /** Makes a table that is still empty go on from another one's `ids`; the calls of `open` are open then. */
  restore(ids: Uint32Array, open: ReadonlySet<number>): void {
    for (let index = 1; index < ids.length; index++) {
      const call = new Call(this);
      call.id = ids[index]!;
      call.open = open.has(call.id);
      this.calls[index] = call;
      if (call.open) this.count++;
      else this.free.push(call);
    }
  }

  /** Every open call that fits; for rare events such as an app's end. */
  filter(fits: (call: Call) => boolean): Call[] {
    return this.calls.filter((call) => call.open && fits(call));
  }
}

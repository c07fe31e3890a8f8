/**
 * The messages of a call on their way, beside its request and its reply: one flow in each direction.
 *
 * What finds no room waits here, as a private copy, in order. That it can't become much is due to the
 * credit: its receiver, an app, says how many bytes may be on their way, and each daemon that they cross
 * counts along (`credit`).
 */
import { streamCreditInitial } from "@koala/protocol";
import type { MethodKind } from "@koala/schema";
import type { Body } from "../datapath/body.ts";
import { type Call, Parked, type Party } from "../datapath/call.ts";
import type { ParkQueue } from "../datapath/park-queue.ts";

/** One direction of a call. */
export class Flow {
  readonly call: Call;
  readonly toCallee: boolean;
  /** The method has messages in this direction; else there are response headers at most. */
  readonly hasMessages: boolean;
  /** Bytes of messages that may still be sent; below 0 by one block at most. */
  credit: number = streamCreditInitial;
  /** Messages that have found no room, in order; each in memory of its own. */
  readonly waiting: Body[] = [];
  /** What they cost, together. */
  waitingCost = 0;
  /** Its sender has said that it sends no more. */
  hasEnded = false;
  /** The response headers are through. */
  hasHeaders = false;
  /** Messages have begun, so it is too late for headers. */
  hasBegun = false;
  /** Messages that policies have let pass. */
  seen = 0;
  /** A policy has denied the first message that waits and has not passed them: the call ends once it is its turn. */
  isDenied = false;
  /** Bytes granted that the sender has not been told of. */
  grantDue = 0;
  /** Where it waits for room; see `ParkQueue`. */
  queue: ParkQueue<Flow> | null = null;

  constructor(call: Call, toCallee: boolean) {
    const { kind } = call.method!;
    this.call = call;
    this.toCallee = toCallee;
    this.hasMessages = toCallee ? takesStream(kind) : returnsStream(kind);
  }

  get sender(): Party | null {
    return this.toCallee ? this.call.caller : this.call.callee;
  }

  get receiver(): Party | null {
    return this.toCallee ? this.call.callee : this.call.caller;
  }

  /** The callee has the request, so messages may follow it. */
  get hasStarted(): boolean {
    return this.call.callee !== null && this.call.parked !== Parked.REQUEST;
  }

  /** The receiver takes messages now, if it has room. */
  get isOpen(): boolean {
    return this.toCallee ? this.hasStarted : this.call.caller !== null;
  }

  /** The call goes on; its record may belong to another call by now. */
  get isCurrent(): boolean {
    const { stream } = this.call;
    return stream !== null && (this.toCallee ? stream.toCallee : stream.toCaller) === this;
  }
}

/** Whether its CALL has no message, because messages follow. */
export function takesStream(kind: MethodKind): boolean {
  return kind === "client_streaming" || kind === "bidi_streaming";
}

/** Whether its REPLY has no message, because messages went before. */
export function returnsStream(kind: MethodKind): boolean {
  return kind === "server_streaming" || kind === "bidi_streaming";
}

/** Both directions of a call. */
export class CallStream {
  readonly toCallee: Flow;
  readonly toCaller: Flow;

  constructor(call: Call) {
    this.toCallee = new Flow(call, true);
    this.toCaller = new Flow(call, false);
  }
}

/** Both flows of a call, none for a call that has none. */
export function flowsOf({ stream }: Call): readonly Flow[] {
  return stream === null ? [] : [stream.toCallee, stream.toCaller];
}

/** The flow of a call in one direction, made when it is first needed: any call may have response headers. */
export function flowOf(call: Call, toCallee: boolean): Flow {
  call.stream ??= new CallStream(call);
  return toCallee ? call.stream.toCallee : call.stream.toCaller;
}

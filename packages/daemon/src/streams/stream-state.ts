/** The messages of a call that are on their way, in plain data: for another process, or another runtime. */
import { SlotFlag } from "@koala/protocol";
import { type BodyState, loadBody, saveBody } from "../datapath/body-state.ts";
import type { Call, Party } from "../datapath/call.ts";
import { CallStream, type Flow } from "./flow.ts";

export interface FlowState {
  readonly credit: number;
  readonly hasEnded: boolean;
  readonly hasHeaders: boolean;
  readonly hasBegun: boolean;
  readonly seen: number;
  readonly isDenied: boolean;
  readonly grantDue: number;
  readonly waiting: readonly BodyState[];
}

export interface StreamState {
  readonly toCallee: FlowState;
  readonly toCaller: FlowState;
}

/** Null for a call that has none. */
export function saveStream({ stream }: Call): StreamState | null {
  if (stream === null) return null;
  return { toCallee: saveFlow(stream.toCallee), toCaller: saveFlow(stream.toCaller) };
}

/** Makes what `saveStream` or `carryStream` gave. The call has its method. */
export function loadStream(call: Call, saved: StreamState): void {
  call.stream = new CallStream(call);
  loadFlow(call.stream.toCallee, saved.toCallee);
  loadFlow(call.stream.toCaller, saved.toCaller);
}

/**
 * The streams of a call as the runtime that its party, an app, moves to is to know them: what waits stays
 * here and follows, with the credit that the app has not been told of.
 */
export function carryStream({ stream }: Call, party: Party): StreamState | null {
  if (stream === null) return null;
  return {
    toCallee: carryFlow(stream.toCallee, party),
    toCaller: carryFlow(stream.toCaller, party),
  };
}

function saveFlow(flow: Flow): FlowState {
  const { credit, hasEnded, hasHeaders, hasBegun, seen, isDenied, grantDue, waiting } = flow;
  const bodies = waiting.map((body) => saveBody(body));
  return { credit, hasEnded, hasHeaders, hasBegun, seen, isDenied, grantDue, waiting: bodies };
}

function loadFlow(flow: Flow, saved: FlowState): void {
  flow.credit = saved.credit;
  flow.hasEnded = saved.hasEnded;
  flow.hasHeaders = saved.hasHeaders;
  flow.hasBegun = saved.hasBegun;
  flow.seen = saved.seen;
  flow.isDenied = saved.isDenied;
  flow.grantDue = saved.grantDue;
  for (const body of saved.waiting) flow.waiting.push(loadBody(body));
  flow.waitingCost = flow.waiting.reduce((sum, { cost }) => sum + cost, 0);
}

function carryFlow(flow: Flow, party: Party): FlowState {
  // A denied message waits here, and ends the call from here.
  const none = { seen: flow.seen, isDenied: false, grantDue: 0, waiting: [] };
  const { credit, grantDue, hasEnded, hasHeaders, hasBegun, waiting, waitingCost } = flow;
  if (flow.sender === party) {
    return { credit: credit - grantDue, hasEnded, hasHeaders, hasBegun, ...none };
  }
  // What waits is counted over there when it comes.
  const isComing = (flag: number): boolean =>
    waiting.some(({ streamFlags }) => (streamFlags & flag) !== 0);
  return {
    credit: credit + waitingCost,
    hasEnded: hasEnded && !isComing(SlotFlag.END),
    hasHeaders: hasHeaders && !isComing(SlotFlag.HEADERS),
    hasBegun: hasBegun && waiting.length === 0,
    ...none,
  };
}

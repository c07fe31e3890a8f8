/**
 * The policies that the calls of one caller to one method go through, in order:
 *
 *   client steps │ choice of the server (`route`) │ server steps, if it is an app of this runtime
 *
 * Requests pass them from left to right, replies come back from right to left through those that the
 * request got to.
 */
import type { Endpoint, Side } from "../call.ts";
import type { PreparedMethod } from "../definition.ts";
import { Verdict } from "../verdict.ts";
import { malformedMessage, type StreamMessageSource } from "./call-source.ts";
import type { LiveCall } from "./live-call.ts";
import type { Slot } from "./slot.ts";

/** What came of running a part of a chain. */
export const Passage = { PASSED: 0, DENIED: 1, HELD: 2, MALFORMED: 3 } as const;
export type Passage = (typeof Passage)[keyof typeof Passage];

/** One policy in one chain. */
export class Step {
  readonly slot: Slot;
  readonly side: Side;
  /** Position in the chain. */
  readonly index: number;
  prepared: unknown = undefined;
  /** The policy does nothing for this method, since it was configured anew. */
  skipped = false;
  /** The policy looks at the messages of the method's streams. */
  listens = false;
  private readonly method: PreparedMethod;
  private generation = -1;

  constructor(slot: Slot, side: Side, index: number, method: PreparedMethod) {
    this.slot = slot;
    this.side = side;
    this.index = index;
    this.method = method;
    this.refresh();
  }

  /** Asks the policy to prepare if that has not happened since it changed. */
  refresh(): void {
    if (this.generation === this.slot.generation) return;
    this.generation = this.slot.generation;
    const answer = this.slot.prepare(this.method);
    this.skipped = answer === undefined;
    this.prepared = answer?.prepared;
    this.listens = !this.skipped && this.slot.listensTo(this.method);
  }
}

export interface Chain {
  readonly steps: readonly Step[];
  /** So many of them are on the client side. */
  readonly clientCount: number;
  /** Those that choose the server. */
  readonly routing: readonly Step[];
  /** Calls that are in it; whoever puts them there counts. */
  users: number;
}

/** The chain for a method; null when no policy has to do with it. */
export function buildChain(
  client: readonly Slot[],
  server: readonly Slot[],
  method: PreparedMethod,
): Chain | null {
  const steps: Step[] = [];
  const add = (slots: readonly Slot[], side: Side): void => {
    for (const slot of slots) {
      const step = new Step(slot, side, steps.length, method);
      if (!step.skipped) steps.push(step);
    }
  };
  add(client, "client");
  const clientCount = steps.length;
  add(server, "server");
  if (steps.length === 0) return null;
  // Where both sides act, the caller's side chooses; a call from elsewhere has the server's side only.
  const choosers = clientCount > 0 ? steps.slice(0, clientCount) : steps;
  const routing = choosers.filter((step) => step.slot.definition.onRoute !== undefined);
  return { steps, clientCount, routing, users: 0 };
}

/** Runs the request through the steps up to `end`, from where it is. */
export function runRequest(call: LiveCall, end: number): Passage {
  const { steps } = call.chain!;
  if (call.isDenied) return Passage.DENIED;
  while (call.stage < end) {
    const step = steps[call.stage]!;
    step.refresh();
    call.ran[call.stage] = !step.skipped;
    if (!step.skipped) {
      let verdict: Verdict;
      try {
        verdict = step.slot.request(call, step);
      } catch (error) {
        if (error !== malformedMessage) throw error;
        return Passage.MALFORMED;
      }
      if (verdict === Verdict.DENY) return Passage.DENIED;
      if (verdict === Verdict.HOLD) return Passage.HELD;
    }
    call.stage++;
  }
  return Passage.PASSED;
}

/**
 * Runs the outcome of the call back through all steps that the request got to. DENIED: a policy has put
 * a denial in its place, which the steps before it have seen. The call is through with its chain then.
 */
export function runResponse(call: LiveCall, onDenied: () => void): Passage {
  const chain = call.chain!;
  let passage: Passage = Passage.PASSED;
  let stage = call.stage;
  if (call.holder !== null) {
    call.holder.release(call);
    stage++; // the one that held it hears of its end, too
  }
  while (stage > call.floor) {
    stage--;
    const step = chain.steps[stage]!;
    // Not `skipped`: the policy may have been configured anew since it saw the request.
    if (!call.ran[stage]) continue;
    step.refresh();
    call.step = step;
    try {
      if (step.slot.response(call, step) === Verdict.DENY) {
        passage = Passage.DENIED;
        onDenied();
      }
    } catch (error) {
      if (error !== malformedMessage) throw error;
      // Those that are left see the call end all the same.
      if (passage === Passage.PASSED) passage = Passage.MALFORMED;
    }
  }
  call.end();
  return passage;
}

/** Whether a policy that has seen the request looks at messages of streams. */
export function listensToStream(call: LiveCall): boolean {
  const { steps } = call.chain!;
  for (let at = call.floor; at < call.stage; at++) {
    if (call.ran[at] && isListening(steps[at]!)) return true;
  }
  return false;
}

/** Runs a message of a stream through the steps that the request has passed. HELD does not happen. */
export function runStreamMessage(call: LiveCall, message: StreamMessageSource): Passage {
  const { steps } = call.chain!;
  const count = call.stage - call.floor;
  call.message = message;
  for (let i = 0; i < count; i++) {
    const at = message.from === "client" ? call.floor + i : call.stage - 1 - i;
    const step = steps[at]!;
    if (!call.ran[at] || !isListening(step)) continue;
    try {
      if (step.slot.streamMessage(call, step) === Verdict.DENY) return Passage.DENIED;
    } catch (error) {
      if (error !== malformedMessage) throw error;
      return Passage.MALFORMED;
    }
  }
  return Passage.PASSED;
}

function isListening(step: Step): boolean {
  if (!step.slot.listens) return false;
  step.refresh();
  return step.listens;
}

/** Lets the routing policies choose; returns those that are left, of which the first is to be taken. */
export function runRoute(call: LiveCall, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  let left = endpoints;
  for (const step of call.chain!.routing) {
    if (left.length === 0) break;
    step.refresh();
    left = step.slot.route(call, step, left);
  }
  return left;
}

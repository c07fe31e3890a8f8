/** Where a call is in its chain of policies, as plain data, and back. */
import type { Chain } from "@koala/policy/engine";
import type { Call } from "./call.ts";
import type { PolicyChains } from "./policy-chains.ts";

export interface ChainState {
  /** Names of the policies, by step. */
  readonly steps: readonly string[];
  /** Steps that the request has passed, and the first that is concerned. */
  readonly stage: number;
  readonly floor: number;
  /** By step: it has seen the request. */
  readonly ran: readonly boolean[];
  /** By step: what the policy has left with the call, a structured clone. */
  readonly locals: readonly unknown[];
  readonly requestId: string;
  readonly priority: number;
}

/** Null when no policy is concerned with the call. */
export function saveChain({ live }: Call): ChainState | null {
  if (live === null || live.chain === null) return null;
  const { chain, stage, floor, requestId, priority } = live;
  const ran: boolean[] = [];
  const locals: unknown[] = [];
  for (let at = 0; at < stage; at++) {
    const local = cloneOf(live.locals[at]);
    // A policy that does not find what it has left would take the call for another one.
    ran[at] = live.ran[at] === true && local !== notCloned;
    locals[at] = local === notCloned ? undefined : local;
  }
  return { steps: namesOf(chain), stage, floor, ran, locals, requestId, priority };
}

/** Puts a restored call where it was, if its policies are the same; false if they are not. */
export function restoreChain(policies: PolicyChains, call: Call, saved: ChainState): boolean {
  const chain = policies.chainOf(call.binding!, call.method!.index);
  if (chain === null || !isSame(namesOf(chain), saved.steps)) return false;
  policies.enter(call, chain, saved.stage, saved.requestId);
  const live = call.live!;
  live.floor = saved.floor;
  live.priority = saved.priority;
  saved.ran.forEach((ran, at) => {
    live.ran[at] = ran;
    live.locals[at] = saved.locals[at];
  });
  return true;
}

const notCloned: unique symbol = Symbol("not cloned");

function cloneOf(value: unknown): unknown {
  if (value === undefined) return undefined;
  try {
    return structuredClone(value);
  } catch {
    return notCloned;
  }
}

function namesOf(chain: Chain): string[] {
  return chain.steps.map(({ slot, side }) => `${slot.name} ${side}`);
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
}

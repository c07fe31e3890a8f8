/** Where a call is in its chain of policies, as plain data, and back. */
import type { Chain, Denial, LiveCall } from "@koala/policy/engine";
import type { Call } from "./call.ts";
import { type PolicyChains, stepName } from "./policy-chains.ts";

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
  /** What ends the call once messages before the denied one are through; null: it was not denied. */
  readonly denial: Denial | null;
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
  const denial = live.isDenied ? { ...live.denial } : null;
  return { steps: namesOf(chain), stage, floor, ran, locals, requestId, priority, denial };
}

/**
 * Puts a restored call where it was. Policies that were detached while it was on its way are left out, those that
 * were attached are not put in. False if none of its policies is there any more, and none has denied it.
 */
export function restoreChain(policies: PolicyChains, call: Call, saved: ChainState): boolean {
  const current = policies.chainOf(call.binding!, call.method!.index);
  const isSame = current !== null && areSame(namesOf(current), saved.steps);
  const chain = isSame ? current : policies.olderChain(call, saved.steps);
  if (chain.steps.length === 0 && saved.denial === null) return false;
  const names = namesOf(chain);
  // Steps that are gone move those behind them forward.
  const before = (end: number): number =>
    saved.steps.slice(0, end).filter((name) => names.includes(name)).length;
  policies.enter(call, chain, before(saved.stage), saved.requestId);
  const live = call.live!;
  live.floor = before(saved.floor);
  live.priority = saved.priority;
  saved.ran.forEach((ran, at) => {
    const step = names.indexOf(saved.steps[at]!);
    if (step < 0) return;
    live.ran[step] = ran;
    live.locals[step] = saved.locals[at];
  });
  if (saved.denial !== null) restoreDenial(live, saved.denial);
  return true;
}

function restoreDenial(live: LiveCall, denial: Denial): void {
  Object.assign(live.denial, denial);
  live.isDenied = true;
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
  return chain.steps.map(stepName);
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
}

/**
 * Runs one policy over recorded calls, in the order and with the times in which they came, and notes what
 * it would have done. The policy is an instance of its own in a context that leads nowhere.
 */
import { messageOf, statusName } from "@koala/interface";
import type { Attempt, PolicyDefinition, Side } from "@koala/policy";
import {
  buildChain,
  isSelected,
  LiveCall,
  Passage,
  runRequest,
  runResponse,
  Slot,
} from "@koala/policy/engine";
import type { TriedPolicy, TryVerdict } from "@koala/protocol";
import { withTexts } from "../policies/config-files.ts";
import type { ReplayCall } from "./replay-call.ts";
import { ReplayClock } from "./replay-clock.ts";
import type { TriedPlan } from "./try-orders.ts";

const examplesMax = 3;

/** A call to replay, and where in this daemon policies would have seen it. */
export interface Replayed {
  /** A new source: policies may change what is in it. */
  make(): ReplayCall;
  readonly sides: readonly Side[];
}

interface Passing {
  readonly source: ReplayCall;
  readonly live: LiveCall;
  isHeld: boolean;
}

export class PolicyReplay {
  readonly tried: TriedPolicy;
  readonly verdicts: Map<string, TryVerdict> = new Map();
  private readonly plan: TriedPlan;
  private readonly clock = new ReplayClock();
  private readonly slot: Slot | undefined;

  constructor(plan: TriedPlan, definition: PolicyDefinition) {
    this.plan = plan;
    const { name, use } = plan;
    this.tried = { name, use, seen: 0, denied: 0, held: 0, failure: "" };
    try {
      this.slot = this.createSlot(definition);
    } catch (error) {
      this.tried.failure = `it can't start: ${messageOf(error)}`;
    }
  }

  /** All of them. */
  run(calls: readonly Replayed[]): void {
    const open: { endMs: number; passing: Passing }[] = [];
    for (const call of calls) {
      for (const side of call.sides) {
        if (this.slot === undefined || this.tried.failure !== "") return;
        const source = call.make();
        const { beganMs, hops } = source.record;
        this.endUntil(open, beganMs);
        this.clock.advance(beganMs);
        const passing = this.begin(source, side);
        if (passing === undefined) continue;
        open.push({ endMs: beganMs + Math.max(0, hops.ended) / 1000, passing });
        open.sort((a, b) => a.endMs - b.endMs);
      }
    }
    this.endUntil(open, Number.POSITIVE_INFINITY);
    this.slot?.detach();
    this.slot?.stop();
  }

  private begin(source: ReplayCall, side: Side): Passing | undefined {
    const { service, method, target, caller } = source;
    const facts = { service, method: method.name, target, caller, side };
    if (!isSelected(this.plan.selector, facts)) return undefined;
    const slots = [this.slot!];
    const chain = buildChain(side === "client" ? slots : [], side === "server" ? slots : [], {
      service,
      method,
    });
    this.tried.seen++;
    if (chain === null) return undefined;
    const live = new LiveCall(source);
    live.begin(chain);
    const passing: Passing = { source, live, isHeld: false };
    source.onWake = () => {
      if (passing.isHeld) this.decide(passing);
    };
    this.decide(passing);
    return live.chain === null ? undefined : passing;
  }

  /** Runs the request, or what a held one has become. */
  private decide(passing: Passing): void {
    const { live, source } = passing;
    const wasHeld = passing.isHeld;
    passing.isHeld = false;
    const passage = runRequest(live, live.chain!.steps.length);
    if (passage === Passage.DENIED) {
      const { status, message, rule } = live.denial;
      this.tried.denied++;
      this.note("denied", source, rule, statusName(status), message);
      runResponse(live, () => {});
    } else if (passage === Passage.HELD) {
      passing.isHeld = true;
      if (!wasHeld) {
        this.tried.held++;
        this.note("held", source, "", "", "it would have waited");
      }
    } else if (passage === Passage.MALFORMED) {
      this.note(
        "failed",
        source,
        "",
        "",
        "its request was not recorded, so the policy can't read it",
      );
      runResponse(live, () => {});
    }
  }

  private endUntil(open: { endMs: number; passing: Passing }[], untilMs: number): void {
    while (open.length > 0 && open[0]!.endMs <= untilMs) {
      const { endMs, passing } = open.shift()!;
      this.clock.advance(endMs);
      const { live, source } = passing;
      // It has been denied while it was held.
      if (live.chain === null) continue;
      const passage = runResponse(live, () => {});
      if (passage !== Passage.DENIED) continue;
      this.tried.denied++;
      const { status, message, rule } = live.denial;
      this.note("denied", source, rule, statusName(status), message);
    }
  }

  private note(
    verdict: TryVerdict["verdict"],
    { record }: ReplayCall,
    rule: string,
    status: string,
    message: string,
  ): void {
    const { app, host } = record.caller;
    const caller = host === "" ? app : `${app}@${host}`;
    const { service, method } = record;
    const policy = this.plan.name;
    const key = JSON.stringify([verdict, rule, status, message, caller, service, method]);
    let found = this.verdicts.get(key);
    if (found === undefined) {
      const head = { policy, verdict, rule, status, message, caller, service, method };
      found = { ...head, calls: 0, examples: [] };
      this.verdicts.set(key, found);
    }
    found.calls++;
    if (found.examples.length < examplesMax) found.examples.push(record.id);
  }

  private createSlot(definition: PolicyDefinition): Slot {
    const { id, name, config, files, onFailure, shared } = this.plan;
    const { clock } = this;
    return new Slot({
      ...{ id, name, definition, onFailure, shared },
      config: definition.config.parse(withTexts(definition, config, files)),
      // Whoever runs the trial ends it when it takes too long.
      budgetMicros: Number.POSITIVE_INFINITY,
      host: {
        runtime: { index: 0, count: 1 },
        running: new Int32Array(1),
        nowMs: () => clock.nowMs,
        nowMicros: () => clock.nowMs * 1000,
        cpuMicros: () => 0,
        round: { serial: 0 },
        random: Math.random,
        timer: (fire) => clock.timer(fire),
        warn: () => {},
        event: () => {},
        notify: () => true,
        attempt: (_, call) => inertAttempt(call, clock.nowMs),
        mirror: () => true,
        failed: (_, reason) => {
          this.tried.failure = reason;
        },
      },
    });
  }
}

/** An attempt that is never made: there is nobody to make it to. */
function inertAttempt(call: LiveCall, startedMs: number): Attempt {
  return {
    ...{ call, number: 1, endpoint: undefined, startedMs, status: 0, origin: 0 },
    cancel: () => {},
  };
}

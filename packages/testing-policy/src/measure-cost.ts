/** What a policy costs a call, without everything around it. */
import { monotonicMicros, threadCpuMicros } from "@koala/native";
import { runRequest, runResponse } from "@koala/policy/engine";
import { PolicyHarness } from "./harness.ts";
import type { CallOptions, HarnessOptions } from "./harness-options.ts";

export interface CostOptions extends HarnessOptions {
  readonly method: string;
  readonly request?: object;
  readonly call?: CallOptions;
}

export interface Cost {
  /**
   * Nanoseconds of this thread's processor time that one call spends in the policy and in the engine
   * around it; the median of the batches.
   */
  readonly nanosPerCall: number;
  /** Of the fastest and the slowest batch. */
  readonly range: readonly [number, number];
}

const batches = 15;
const callsPerBatch = 20_000;
/** Calls that begin at the same moment of `ctx.nowMs()`, as in one round of a busy runtime. */
const callsPerRound = 100;

/**
 * Measures a call that the policy lets pass, from `onRequest` to the end of `onResponse`, with a clock
 * that runs. A figure to compare policies by: take that of the policy `null` on the same machine along.
 */
export function measureCost(options: CostOptions): Cost {
  const harness = new PolicyHarness({ ...options, nowMicros: monotonicMicros });
  const call = harness.start(options.method, options.request, options.call);
  if (call.outcome !== "sent") throw new Error(`the measured call is ${call.outcome}`);
  const { live } = call;
  const chain = live.chain!;
  const { length } = chain.steps;
  const nothing = (): void => {};
  runResponse(live, nothing);
  const nanos: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const beginMicros = threadCpuMicros();
    for (let i = 0; i < callsPerBatch; i++) {
      if (i % callsPerRound === 0) harness.clock.nowMs += 1;
      live.begin(chain);
      runRequest(live, length);
      runResponse(live, nothing);
    }
    nanos.push(((threadCpuMicros() - beginMicros) * 1000) / callsPerBatch);
    // Timers that the policy has set, outside of what is measured.
    harness.advance(1);
    harness.notices.length = 0;
  }
  if (harness.failure !== "") throw new Error(harness.failure);
  nanos.sort((a, b) => a - b);
  return { nanosPerCall: nanos[batches >> 1]!, range: [nanos[0]!, nanos[batches - 1]!] };
}

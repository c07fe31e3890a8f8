/**
 * The time before the first round: code is compiled while it runs, and a system of much code needs longer.
 * grpc-js doubles its rate in the first seconds; measuring it before would flatter everything else.
 */
import type { Round, RunCommand } from "../load/load-command.ts";

export interface WarmUpPlan {
  readonly sliceSeconds: number;
  readonly slicesMax: number;
}

/** Until it gets no faster, but no longer than six seconds. */
export const fullWarmUp: WarmUpPlan = { sliceSeconds: 0.5, slicesMax: 12 };
export const quickWarmUp: WarmUpPlan = { sliceSeconds: 0.2, slicesMax: 1 };

/** A slice is faster when it beats the best before by this factor. */
const gain = 1.05;
/** So many slices in a row without a gain end the warm-up: a single one may just have been disturbed. */
const slicesWithoutGain = 3;

/** What takes commands: a load program. */
export interface Runner {
  run(command: RunCommand): Promise<Round>;
}

/** Lets a system run until its rate no longer rises. */
export async function warmUp(
  runner: Runner,
  command: Omit<RunCommand, "seconds" | "keep">,
  { sliceSeconds, slicesMax }: WarmUpPlan,
): Promise<void> {
  let best = 0;
  let slow = 0;
  for (let slice = 0; slice < slicesMax && slow < slicesWithoutGain; slice++) {
    const { calls, seconds } = await runner.run({ ...command, seconds: sliceSeconds, keep: false });
    const rate = calls / seconds;
    slow = rate > best * gain ? 0 : slow + 1;
    best = Math.max(best, rate);
  }
}

/**
 * The load on one stream: messages as fast as they are taken, each of them looked at. The same for all systems;
 * a stream is opened for each round, and ended by whoever has enough.
 */
import type { Round, RunCommand } from "./load-command.ts";

/** Whether the time of the round is not over yet. */
export interface Clock {
  readonly isRunning: boolean;
}

/** Opens a stream, and resolves to the messages that have come through it when it has ended. */
export type RunStream = (clock: Clock) => Promise<number>;

export async function runStream(stream: RunStream, { seconds }: RunCommand): Promise<Round> {
  const clock = { isRunning: true };
  const start = performance.now();
  const timer = setTimeout(() => {
    clock.isRunning = false;
  }, seconds * 1000);
  try {
    const calls = await stream(clock);
    return { calls, seconds: (performance.now() - start) / 1000 };
  } finally {
    clearTimeout(timer);
  }
}

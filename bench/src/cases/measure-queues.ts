/** The case `queues`: one pair of threads or processes on each queue, there and back and one way. */

import type { Result } from "../figures/result.ts";
import type { Options } from "../options.ts";
import type { Stage } from "../processes/stage.ts";
import { messageBytes, type QueueMode, queueModes, queueSubjects } from "../queues/queue-plan.ts";
import { type QueueFigures, type QueueRounds, takeTurns } from "../queues/take-turns.ts";
import { queueCaseName } from "./case.ts";

/** Names of the queues, which stand where systems do. */
export const queueSystemNames: readonly string[] = queueSubjects.map(({ name }) => name);

/** Threads wait for each other no longer than some seconds: a round is shorter. */
const roundSecondsMax = 5;

/** The stage is the caller's to close. A sentence when this machine has no such processors. */
export async function measureQueues(
  stage: Stage,
  names: readonly string[],
  { affinity, rounds, seconds }: Pick<Options, "affinity" | "rounds" | "seconds">,
  progress: (what: string) => void,
): Promise<Result[] | string> {
  const subjects = queueSubjects.filter(({ name }) => names.includes(name));
  // The measured seconds are for both modes.
  const roundSeconds = Math.min(roundSecondsMax, seconds / queueModes.length / rounds);
  const program = stage.start("queues.js", { name: queueCaseName });
  await program.ready();
  const results: Result[] = [];
  for (const mode of queueModes) {
    progress(`${queueCaseName}: ${mode}, affinity ${affinity}`);
    const plan: QueueRounds = { rounds, roundSeconds };
    const found = await takeTurns(program, subjects, { mode, affinity, pairs: 1 }, plan);
    if (typeof found === "string") return found;
    results.push(...found.map((figures) => resultOf(figures, mode, plan)));
  }
  return results;
}

function resultOf(
  { name, messages, messagesPerSecond, p50Us, p99Us, ...found }: QueueFigures,
  mode: QueueMode,
  { rounds, roundSeconds }: QueueRounds,
): Result {
  return {
    case: queueCaseName,
    system: `${name}-${mode}`,
    samples: messages,
    p50Us,
    p99Us,
    callsPerSecond: messagesPerSecond,
    bytesPerSecond: messagesPerSecond === null ? null : messagesPerSecond * messageBytes,
    daemonCpuSeconds: null,
    clientCpuSeconds: null,
    serverCpuSeconds: null,
    daemonIdleCpuShare: null,
    hogCallsPerSecond: null,
    minUs: null,
    rounds,
    measuredSeconds: rounds * roundSeconds,
    roundP50Us: found.p50sUs,
    roundCallsPerSecond: found.perSecond,
    ratioToGrpcJs: null,
    ratioToFloor: null,
    ratioToPlain: null,
    p99RatioToPlain: null,
    ratioToTarget: null,
    ratioToProtobufEs: null,
    failedCalls: found.wrongMessages,
  };
}

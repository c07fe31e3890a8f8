/**
 * The case `upgrade`: a daemon under load is changed in every way there is, and a client that calls all the
 * time says how long it had to wait for the next reply. `nothing` is the same without a change: garbage
 * collection and other processes make gaps, too.
 */
import { setTimeout } from "node:timers/promises";
import type { Result } from "../figures/result.ts";
import { median } from "../figures/statistics.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import { changeCaseName } from "./case.ts";
import {
  type Change,
  changes,
  type Place,
  prepareChange,
  type SeenChange,
  seeChange,
  startChangingHost,
  undoChange,
} from "./changes.ts";

const inFlight = 128;
const stepMs = 10;

/** Names of the changes, which stand where systems do. */
export const changeNames: readonly string[] = changes.map(({ name }) => name);

/** Makes the changes in turns. The stage is the caller's to close. */
export async function measureChanges(
  stage: Stage,
  names: readonly string[],
  isQuick: boolean,
  progress: (what: string) => void,
): Promise<Result[]> {
  progress(`${changeCaseName}: starting a daemon`);
  const host = await startChangingHost(stage, "upgrade daemon");
  const env = { KOALA_PREFIX: host.prefix };
  const server = stage.start("koala-server.js", { name: "upgrade server", env });
  await server.ready();
  const client = stage.start("timeline-client.js", {
    name: "upgrade client",
    args: [String(inFlight)],
    env,
  });
  await client.ready();
  await setTimeout(isQuick ? 100 : 3000);
  const results: Result[] = [];
  for (const change of changes.filter(({ name }) => names.includes(name))) {
    const times = isQuick ? 1 : change.times;
    progress(`${changeCaseName}: ${change.name}, ${times} times`);
    results.push(await measureChange(change, times, client, host));
  }
  return results;
}

async function measureChange(
  change: Change,
  times: number,
  client: Program,
  place: Place,
): Promise<Result> {
  const seen: SeenChange[] = [];
  for (let i = 0; i < times; i++) {
    await prepareChange(change.name, place);
    seen.push(
      await seeChange({ client, seconds: change.seconds, stepMs }, () => change.make(place)),
    );
    await undoChange(change.name, place);
  }
  const rates = seen.map(
    ({ watched }) => watched.callsPerStep.reduce((sum, count) => sum + count, 0) / change.seconds,
  );
  const last = seen.at(-1)?.watched;
  const micros = seen.map(({ gapMs }) => Math.round(gapMs * 1000));
  return {
    case: changeCaseName,
    system: change.name,
    samples: micros.length,
    p50Us: median(micros),
    p99Us: Math.max(...micros),
    callsPerSecond: Math.round(median(rates) ?? 0),
    bytesPerSecond: null,
    daemonCpuSeconds: null,
    clientCpuSeconds: null,
    serverCpuSeconds: null,
    daemonIdleCpuShare: null,
    hogCallsPerSecond: null,
    minUs: Math.min(...micros),
    rounds: times,
    measuredSeconds: times * change.seconds,
    roundP50Us: micros,
    roundCallsPerSecond: rates.map(Math.round),
    ratioToGrpcJs: null,
    ratioToFloor: null,
    ratioToPlain: null,
    p99RatioToPlain: null,
    ratioToTarget: null,
    ratioToProtobufEs: null,
    pauseUs: change.name === "nothing" ? null : median(seen.map(({ pauseMs }) => pauseMs * 1000)),
    failedCalls: seen.reduce((sum, { failed }) => sum + failed, 0),
    ...(last === undefined ? {} : { callsPer10Ms: last.callsPerStep }),
  };
}

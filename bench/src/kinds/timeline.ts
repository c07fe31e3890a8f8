/**
 * What clients see while things are changed: one keeps calls in flight all the time, another calls at a pace
 * whether or not its calls return. Koala's daemons are changed in every way there is; of Envoy, which has one
 * way, a new process takes over from the old one (hot restart).
 */
import { setTimeout } from "node:timers/promises";
import {
  type Change,
  prepareChange,
  type SeenChange,
  seeChange,
  startChangingHost,
  undoChange,
} from "../cases/changes.ts";
import { median } from "../figures/statistics.ts";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import type { Program } from "../processes/program.ts";
import { startHost } from "../systems/koala.ts";
import type { System } from "../systems/system.ts";
import { startEnvoyPair } from "./envoy-restart.ts";
import { readTimelineSettings, type TimelineSettings } from "./timeline-settings.ts";

/** The changes that replace a process, which need the longer window. */
const replacing = "upgrade-daemon";
const restart = "hot-restart";
/** Steps of a timeline, and after how long a window a millisecond would be too fine. */
const fineStepMs = 1;
const coarseStepMs = 10;
const fineSecondsMax = 1;
const warmUpMs = 2000;
/** Envoy's old process leaves within this. */
const restartSeconds = 6;
const restartSecondsQuick = 3;

/** Systems of this kind are started by it; nobody else starts them. */
function own(name: string, needs: readonly string[]): System {
  const start = (): never => {
    throw new Error(`${name} of live operations is started by its kind`);
  };
  return { name, cases: [], byDefault: false, floors: {}, needs, start };
}

export const timelineKind: ExperimentKind = {
  name: "timeline",
  systems: [own("koala-local", []), own("koala-tcp", []), own("grpc-js-one-envoy", ["envoy"])],
  run: async (context) => {
    const settings = readTimelineSettings(context.experiment);
    for (const { name } of context.systems) {
      context.signal.throwIfAborted();
      if (context.quick && name === "koala-tcp") {
        context.skip(name, "a quick run changes the daemon of koala-local only");
        continue;
      }
      if (name === "grpc-js-one-envoy") await measureEnvoy(context, settings, name);
      else await measureKoala(context, settings, name);
    }
  },
};

async function measureKoala(
  context: ExperimentContext,
  settings: TimelineSettings,
  system: string,
): Promise<void> {
  const { quick, signal, progress } = context;
  progress(`starting ${system}`);
  const stage = context.stage();
  const far = system === "koala-tcp" ? await startHost(stage, "far daemon", []) : undefined;
  const host = await startChangingHost(stage, `${system} daemon`, far === undefined ? [] : [far]);
  const env = { KOALA_PREFIX: host.prefix };
  const serverEnv = { KOALA_PREFIX: (far ?? host).prefix };
  const server = stage.start("koala-server.js", { name: `${system} server`, env: serverEnv });
  // Clients wait for the server by themselves.
  const [clients] = await Promise.all([
    startClients(settings, (name, load) =>
      stage.start("timeline-client.js", { name: `${system} ${name}`, args: [load], env }),
    ),
    server.ready(),
  ]);
  await setTimeout(quick ? 100 : warmUpMs, undefined, { signal });
  // Replacing a daemon takes seconds: to show that it works, one that does not has to do.
  const chosen = quick ? settings.changes.filter(isQuick).slice(0, 1) : settings.changes;
  for (const change of chosen) {
    const isLong = change.name === replacing;
    const times = quick ? 1 : isLong ? settings.replacements : context.experiment.rounds;
    progress(`${system}: ${change.name}, ${times} times`);
    const { seconds } = change;
    const viewers = { ...clients, seconds, stepMs: stepOf(seconds) };
    const seen: SeenChange[] = [];
    for (let i = 0; i < times; i++) {
      signal.throwIfAborted();
      await prepareChange(change.name, host);
      seen.push(await seeChange(viewers, () => change.make(host)));
      await undoChange(change.name, host);
    }
    emitChange(context, system, change.name, seen, seconds);
  }
  await stage.close();
}

async function measureEnvoy(
  context: ExperimentContext,
  settings: TimelineSettings,
  system: string,
): Promise<void> {
  const { quick, signal, progress } = context;
  progress(`starting ${system}`);
  const stage = context.stage();
  const pair = await startEnvoyPair(stage);
  const clients = await startClients(settings, (name, load) => {
    const args = [String(pair.port), load];
    return stage.start("grpc-timeline-client.js", { name: `${system} ${name}`, args });
  });
  await setTimeout(quick ? 100 : warmUpMs, undefined, { signal });
  const nothing = { name: "nothing", seconds: 0.4, times: context.experiment.rounds };
  const longSeconds = quick ? restartSecondsQuick : restartSeconds;
  const restarting = { name: restart, seconds: longSeconds, times: settings.replacements };
  for (const { name, seconds, times } of quick ? [restarting] : [nothing, restarting]) {
    progress(`${system}: ${name}`);
    const viewers = { ...clients, seconds, stepMs: stepOf(seconds) };
    const seen: SeenChange[] = [];
    for (let i = 0; i < (quick ? 1 : times); i++) {
      signal.throwIfAborted();
      seen.push(
        await seeChange(viewers, async () => {
          // What is done to it is over when the old process is gone.
          if (name === restart) await pair.restart();
          return 0;
        }),
      );
    }
    emitChange(context, system, name, seen, seconds);
  }
  await stage.close();
}

/** The one that keeps calls in flight, and the one that calls at a pace. */
async function startClients(
  { inFlight, callsPerSecond }: TimelineSettings,
  start: (name: string, load: string) => Program,
): Promise<{ client: Program; paced: Program }> {
  const client = start("client", String(inFlight));
  const paced = start("paced client", `paced:${callsPerSecond}`);
  await Promise.all([client.ready(), paced.ready()]);
  return { client, paced };
}

function isQuick({ name }: Change): boolean {
  return name !== "nothing" && name !== replacing;
}

function stepOf(seconds: number): number {
  return seconds > fineSecondsMax ? coarseStepMs : fineStepMs;
}

function emitChange(
  { emit }: ExperimentContext,
  system: string,
  change: string,
  seen: readonly SeenChange[],
  seconds: number,
): void {
  const rates = seen.map(({ watched }) => sumOf(watched.callsPerStep) / seconds);
  const micros = (of: (each: SeenChange) => number | null): number[] =>
    seen.map((each) => Math.round((of(each) ?? 0) * 1000));
  const gapUs = micros(({ gapMs }) => gapMs);
  const pacedLongestUs = micros(({ latencyMs }) => latencyMs);
  // The one in the middle stands for all of them.
  const byGap = [...seen].sort((a, b) => a.gapMs - b.gapMs);
  const shown = byGap[byGap.length >> 1]!;
  const { callsPerStep } = shown.watched;
  const hasMark = change !== "nothing";
  emit({
    system,
    parameters: { change },
    figures: {
      times: seen.length,
      gapUs: median(gapUs),
      longestGapUs: Math.max(...gapUs),
      pacedLongestUs: median(pacedLongestUs),
      pauseUs: change === "nothing" || change === restart ? null : median(micros((s) => s.pauseMs)),
      tookUs: hasMark ? median(micros(({ tookMs }) => tookMs)) : null,
      failedCalls: sumOf(seen.map(({ failed }) => failed)),
      callsPerSecond: median(rates),
    },
    rounds: { gapUs, pacedLongestUs, callsPerSecond: rates },
    series: {
      [`callsPer${stepOf(seconds)}Ms`]: callsPerStep,
      eventsMs: hasMark ? [shown.atMs, shown.atMs + shown.tookMs] : [],
    },
  });
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

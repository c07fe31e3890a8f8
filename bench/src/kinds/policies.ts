/**
 * What policies cost. Koala's sets of policies take turns on the same two daemons: they are attached before a
 * turn and detached after it, so nothing else differs (two daemons of the same kind differ by more than a policy
 * costs). Peers can't do that: each set is a system of its own.
 */
import { postAdmin } from "@koala/ctl";
import type { PolicySpec } from "@koala/protocol";
import { loadCases } from "../cases/case.ts";
import { fullWarmUp, quickWarmUp, warmUp } from "../cases/warm-up.ts";
import { median, ratio } from "../figures/statistics.ts";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import { startLinkedHosts } from "../systems/koala-policies.ts";
import type { RunningSystem, System } from "../systems/system.ts";
import { type PolicyLoad, type PolicySettings, readPolicySettings } from "./policy-settings.ts";
import { ProcessUsage } from "./process-usage.ts";
import { measureQos } from "./qos-situations.ts";

const koala = "koala-tcp";
/** What the requests have for `acl` to look at. */
const requestName = "somebody";

/** A set of policies in a system. */
interface Turn {
  /** As the results call it: all sets of Envoy are one system. */
  readonly system: string;
  /** As the experiment calls it. */
  readonly source: string;
  readonly set: string;
  readonly client: Program;
  readonly usage: () => ProcessUsage;
  readonly enter: () => Promise<void>;
  readonly leave: () => Promise<void>;
}

interface Measured {
  readonly turn: Turn;
  readonly usage: ProcessUsage;
  readonly p50Us: number[];
  readonly callsPerSecond: number[];
  calls: number;
}

export const policiesKind: ExperimentKind = {
  name: "policies",
  systems: [
    {
      name: koala,
      cases: [],
      byDefault: false,
      floors: {},
      start: async (stage) => (await startLinkedHosts(stage)).apps,
    },
  ],
  run: async (context) => {
    const { experiment, quick } = context;
    const settings = readPolicySettings(experiment.name, experiment.settings);
    const stage = context.stage();
    const turns = await startTurns(context, stage, settings);
    // What holds calls back has a measurement of its own.
    const free = turns.filter(({ set }) => set !== settings.limit.set);
    for (const load of settings.loads) await measureLoad(context, free, load);
    await measureLimit(context, turns, settings);
    if (context.systems.some(({ name }) => name === koala)) {
      await stage.close();
      await measureQos(context, settings.qos, quick ? 1 : experiment.rounds);
    }
  },
};

async function startTurns(
  context: ExperimentContext,
  stage: Stage,
  settings: PolicySettings,
): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (const system of context.systems) {
    context.progress(`starting ${system.name}`);
    context.signal.throwIfAborted();
    if (system.name === koala) {
      turns.push(...(await koalaTurns(stage, settings, context.quick)));
      continue;
    }
    // A few are enough to show that it works.
    if (context.quick && turns.some(({ system: started }) => started !== koala)) {
      context.skip(system.name, "a quick run has one peer only");
      continue;
    }
    const running = await startPeer(context, stage, system);
    if (running === undefined) continue;
    turns.push({
      system: peerOf(system.name, settings),
      source: system.name,
      set: settings.peers[system.name] ?? "none",
      client: running.client,
      usage: () => new ProcessUsage(running),
      enter: async () => {},
      leave: async () => {},
    });
  }
  return turns;
}

/** Undefined when it can't be started: the others are measured all the same. */
async function startPeer(
  { failed }: ExperimentContext,
  stage: Stage,
  system: System,
): Promise<RunningSystem | undefined> {
  try {
    return await system.start(stage, loadCases[0]!);
  } catch (error) {
    failed(system.name, error, stage.tails());
    return undefined;
  }
}

/** The plain system that a peer with policies is a form of: the longest beginning of its name among the peers. */
function peerOf(name: string, { peers }: PolicySettings): string {
  const plain = Object.keys(peers).filter((peer) => peers[peer] === "none");
  return plain.find((peer) => name === peer || name.startsWith(`${peer}-`)) ?? name;
}

async function koalaTurns(
  stage: Stage,
  { sets, limit }: PolicySettings,
  quick: boolean,
): Promise<readonly Turn[]> {
  const { near, far, apps } = await startLinkedHosts(stage);
  const isChosen = (name: string, index: number) =>
    !quick || index === 0 || index === sets.length - 1 || name === limit.set;
  const chosen = sets.filter(({ name }, index) => isChosen(name, index));
  return chosen.map(({ name, sender, receiver }) => ({
    system: koala,
    source: koala,
    set: name,
    client: apps.client,
    usage: () => new ProcessUsage(apps),
    enter: async () => {
      await attachAll(near.prefix, sender);
      await attachAll(far.prefix, receiver);
    },
    leave: async () => {
      await detachAll(near.prefix, sender);
      await detachAll(far.prefix, receiver);
    },
  }));
}

async function attachAll(prefix: string, policies: readonly PolicySpec[]): Promise<void> {
  for (const policy of policies) await postAdmin(prefix, "/v1/policies/attach", { policy });
}

async function detachAll(prefix: string, policies: readonly PolicySpec[]): Promise<void> {
  for (const { name = "" } of policies) await postAdmin(prefix, "/v1/policies/detach", { name });
}

async function measureLoad(
  context: ExperimentContext,
  turns: readonly Turn[],
  load: PolicyLoad,
): Promise<void> {
  const { experiment, quick, signal, progress } = context;
  const { bytes, inFlight } = load;
  const command = { op: "run", method: "echo", bytes, text: requestName, inFlight } as const;
  const seriesOf = ({ system, set }: Turn) => `${load.name} ${system} ${set}`;
  const warm = new Set<Program>();
  for (const turn of turns) {
    signal.throwIfAborted();
    progress(`${load.name}: warming up ${turn.system}, ${turn.set}`);
    await turn.enter();
    // Programs that have been warm need a moment for the code of the policies only.
    const plan = quick || warm.has(turn.client) ? quickWarmUp : { ...fullWarmUp, slicesMax: 4 };
    await warmUp(turn.client, command, plan);
    warm.add(turn.client);
    await turn.leave();
  }
  const measured: Measured[] = turns.map((turn) => ({
    turn,
    usage: turn.usage(),
    p50Us: [],
    callsPerSecond: [],
    calls: 0,
  }));
  const rounds = quick ? 1 : experiment.rounds;
  const seconds = quick ? 0.1 : experiment.roundSeconds;
  for (let round = 1; round <= rounds; round++) {
    progress(`${load.name}: round ${round} of ${rounds}`);
    for (const each of measured) {
      signal.throwIfAborted();
      const { turn, usage } = each;
      await turn.enter();
      usage.begin();
      const series = seriesOf(turn);
      const reply = await turn.client.run({ ...command, seconds, keep: true, series });
      usage.end();
      await turn.leave();
      each.calls += reply.calls;
      each.p50Us.push(reply.p50Us ?? Number.NaN);
      each.callsPerSecond.push(reply.calls / reply.seconds);
    }
  }
  for (const each of measured) await emitLoad(context, load, each, measured, seriesOf(each.turn));
}

async function emitLoad(
  context: ExperimentContext,
  load: PolicyLoad,
  { turn, usage, calls, p50Us, callsPerSecond }: Measured,
  all: readonly Measured[],
  series: string,
): Promise<void> {
  const { system, source, set, client } = turn;
  const plain = all.find((other) => other.turn.system === system && other.turn.set === "none");
  const figures = await client.figures(series);
  const microsPerCall = (seconds: number | null) => ratio((seconds ?? Number.NaN) * 1e6, calls);
  context.covered(source);
  context.emit({
    system,
    parameters: { load: load.name, policy: set, bytes: load.bytes, inFlight: load.inFlight },
    figures: {
      samples: figures.samples,
      p50Us: figures.p50Us,
      p99Us: figures.p99Us,
      callsPerSecond: median(callsPerSecond),
      p50RatioToNone: ratioOfRounds(p50Us, plain?.p50Us),
      rateRatioToNone: ratioOfRounds(callsPerSecond, plain?.callsPerSecond),
      cpuMicrosPerCall: finite(microsPerCall(usage.seconds())),
      betweenCpuMicrosPerCall: finite(microsPerCall(usage.seconds("between"))),
    },
    rounds: { p50Us, callsPerSecond },
    processes: usage.figures(),
  });
}

/** The median of ratios, each of two turns that followed on each other: what slows down does so for both. */
function ratioOfRounds(
  values: readonly number[],
  plain: readonly number[] | undefined,
): number | null {
  if (plain === undefined) return null;
  return median(values.flatMap((value, round) => ratio(value, plain[round] ?? null) ?? []));
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

/** How exactly a limit holds: more calls than it lets pass want to, and wait. */
async function measureLimit(
  { experiment, quick, signal, progress, emit }: ExperimentContext,
  turns: readonly Turn[],
  { limit }: PolicySettings,
): Promise<void> {
  const turn = turns.find(({ system, set }) => system === koala && set === limit.set);
  if (turn === undefined) return;
  const rates: number[] = [];
  const command = { op: "run", method: "echo", bytes: 32, inFlight: limit.inFlight } as const;
  await turn.enter();
  for (let round = 1; round <= (quick ? 1 : Math.min(3, experiment.rounds)); round++) {
    signal.throwIfAborted();
    progress(`limit of ${limit.rate} calls per second: round ${round}`);
    // The burst that has come together meanwhile is not what is asked for.
    await turn.client.run({ ...command, seconds: 0.1, keep: false });
    const seconds = quick ? 0.2 : limit.seconds;
    const { calls, seconds: took } = await turn.client.run({ ...command, seconds, keep: false });
    rates.push(calls / took);
  }
  await turn.leave();
  emit({
    system: koala,
    parameters: { load: "limit", policy: limit.set, limitPerSecond: limit.rate },
    figures: {
      callsPerSecond: median(rates),
      ratioToLimit: ratio(median(rates), limit.rate),
    },
    rounds: { callsPerSecond: rates },
  });
}

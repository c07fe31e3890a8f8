/**
 * The kind `footprint`: memory, and processor time while nothing happens, with so many connections of apps as
 * the grid says (`apps`); and the processor time of a call, as the kind `load` counts it (`settings.points`). In the
 * first part a system is alone on the machine: shared pages are divided by who has them. In the second they take turns.
 */
import { setTimeout } from "node:timers/promises";
import { sum } from "../figures/statistics.ts";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import { reasonOf } from "../launcher/reason.ts";
import type { Role } from "../launcher/result-line.ts";
import { Crowd } from "../load/crowd.ts";
import { cpuOfTree, memoryOfTree } from "../processes/process-tree.ts";
import type { Program } from "../processes/program.ts";
import type { RunningSystem, System } from "../systems/system.ts";
import { levelsOf, pointsOf } from "./footprint-settings.ts";
import { LoadSubject, parametersOf } from "./load-subject.ts";

const crowdProcesses = 4;
const quickProcesses = 1;
/** What garbage collectors need to find out that nothing happens. */
const settleMs = 1000;
const lookMs = 1000;
/** Connections that are made and closed first, and the time to forget them. */
const warmUpApps = 100;
const firstSettleMs = 2000;
const quickMs = 50;
const warmUpSeconds = 2;
const quickSeconds = 0.1;
const load = { method: "echo", bytes: 64, inFlight: 128 } as const;

/** What is there while nothing happens. */
interface Look {
  readonly betweenPss: number | null;
  readonly serverPss: number | null;
  readonly crowdPss: number | null;
  readonly betweenCpuShare: number | null;
  readonly allCpuShare: number | null;
}

export const footprintKind: ExperimentKind = {
  name: "footprint",
  run: async (context) => {
    const levels = levelsOf(context.experiment, "apps", context.quick);
    const points = pointsOf(context.experiment);
    for (const system of context.systems) {
      await orSkip(context, system, "apps", async () => measureIdle(context, system, levels));
    }
    await measureCalls(context, points);
  },
};

/** Goes on without a system that fails. */
async function orSkip(
  { signal, emit, failed }: ExperimentContext,
  { name }: System,
  part: string,
  work: () => Promise<void>,
): Promise<boolean> {
  if (signal.aborted) return false;
  try {
    await work();
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    emit({
      system: name,
      parameters: { part },
      skipped: `it failed: ${reasonOf(error)}`,
      figures: {},
    });
    failed(name, error, "");
    return false;
  }
}

async function measureIdle(
  context: ExperimentContext,
  system: System,
  levels: readonly number[],
): Promise<void> {
  const { quick, signal, progress, emit } = context;
  progress(`${system.name}: starting`);
  const stage = context.stage();
  try {
    const running = await system.start(stage, { ...load, clients: 1 });
    const processes = quick ? quickProcesses : crowdProcesses;
    const crowd = await Crowd.beside(stage, system.name, running, processes);
    if (crowd === undefined) {
      const skipped = `there is no program that makes many connections to ${system.name}`;
      emit({ system: system.name, parameters: {}, skipped, figures: {} });
      return;
    }
    // What is compiled and loaded with a first connection is not counted as the connection's.
    await crowd.attach(quick ? processes : warmUpApps);
    await crowd.call();
    await crowd.leave();
    await setTimeout(quick ? quickMs : firstSettleMs);
    let none: Look | undefined;
    for (const apps of [0, ...levels.filter((level) => level > 0)]) {
      signal.throwIfAborted();
      progress(`${system.name}: ${apps} apps`);
      const attachMs = apps === 0 ? 0 : await crowd.attach(apps);
      const now = await look(running, crowd, quick);
      none ??= now;
      const each = (of: (look: Look) => number | null): number | null => {
        const [with_, without] = [of(now), of(none!)];
        if (apps === 0 || with_ === null || without === null) return null;
        return Math.round((with_ - without) / apps);
      };
      emit({
        system: system.name,
        parameters: { apps },
        figures: {
          betweenPssBytes: now.betweenPss,
          serverPssBytes: now.serverPss,
          appsPssBytes: now.crowdPss,
          allPssBytes: sum([now.betweenPss, now.serverPss, now.crowdPss]),
          betweenBytesEach: each(({ betweenPss }) => betweenPss),
          serverBytesEach: each(({ serverPss }) => serverPss),
          appBytesEach: each(({ crowdPss }) => crowdPss),
          betweenIdleCpuShare: now.betweenCpuShare,
          allIdleCpuShare: now.allCpuShare,
          attachMsPerApp: apps === 0 ? null : Math.round((1000 * attachMs) / apps) / 1000,
        },
      });
    }
  } finally {
    await (signal.aborted ? stage.abort() : stage.close());
  }
}

async function look(running: RunningSystem, crowd: Crowd, isQuick: boolean): Promise<Look> {
  const roles: Record<Exclude<Role, "client" | "beside">, readonly Program[]> = {
    between: running.daemons,
    server: [running.server],
  };
  const everyone = [...roles.between, ...roles.server, ...crowd.programs];
  const cpuOf = (programs: readonly Program[]) => sum(programs.map(({ pid }) => cpuOfTree(pid)));
  const memory = (programs: readonly Program[]) =>
    sum(programs.map(({ pid }) => memoryOfTree(pid)));
  await setTimeout(isQuick ? quickMs : settleMs);
  const before = [cpuOf(roles.between), cpuOf(everyone)];
  const beganMs = performance.now();
  await setTimeout(isQuick ? quickMs : lookMs);
  const seconds = (performance.now() - beganMs) / 1000;
  const [between = null, all = null] = [cpuOf(roles.between), cpuOf(everyone)].map(
    (after, index) => {
      const was = before[index] ?? null;
      return after === null || was === null ? null : (after - was) / seconds;
    },
  );
  return {
    betweenPss: roles.between.length === 0 ? 0 : memory(roles.between),
    serverPss: memory(roles.server),
    crowdPss: memory(crowd.programs),
    betweenCpuShare: roles.between.length === 0 ? 0 : between,
    allCpuShare: all,
  };
}

async function measureCalls(
  context: ExperimentContext,
  points: ReturnType<typeof pointsOf>,
): Promise<void> {
  const { experiment, quick, signal, progress, systems, emit } = context;
  const [first] = points;
  if (first === undefined) return;
  const subjects: LoadSubject[] = [];
  for (const system of systems) {
    await orSkip(context, system, "calls", async () => {
      progress(`${system.name}: starting for calls`);
      const stage = context.stage();
      const running = await system.start(stage, { ...load, clients: 1 });
      const subject = new LoadSubject(system, stage, running, load.method);
      await subject.warmUp([first], quick ? quickSeconds : warmUpSeconds);
      subjects.push(subject);
    });
  }
  const seconds = quick ? quickSeconds : experiment.roundSeconds;
  for (const point of points) {
    progress(`calls: ${point.bytes} B, ${point.inFlight} in flight`);
    const each = async (work: (subject: LoadSubject) => Promise<void>): Promise<void> => {
      for (const subject of [...subjects]) {
        const went = await orSkip(context, subject.system, "calls", () => work(subject));
        if (!went) subjects.splice(subjects.indexOf(subject), 1);
      }
    };
    await each((subject) => subject.settle(point, quickSeconds));
    for (let round = 0; round < (quick ? 1 : experiment.rounds); round++) {
      await each((subject) => subject.round(point, seconds));
    }
    signal.throwIfAborted();
    await each(async (subject) =>
      emit({ ...(await subject.result(point)), parameters: parametersOf(point) }),
    );
  }
}

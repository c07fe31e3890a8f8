/**
 * One case: starts all systems, lets them take turns in rounds, and ends them. A machine that slows down in
 * the meantime does so for all of them. Who has no turn waits, and uses no processor.
 */
import { setTimeout } from "node:timers/promises";
import {
  compare,
  compareRounds,
  type MeasuredRound,
  type Result,
  resultOf,
} from "../figures/result.ts";
import { ratio, sum } from "../figures/statistics.ts";
import type { RunCommand } from "../load/load-command.ts";
import { cpuSeconds } from "../processes/cpu-time.ts";
import { IdleTime } from "../processes/idle-time.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import type { RunningSystem, System } from "../systems/system.ts";
import type { LoadCase } from "./case.ts";
import { type WarmUpPlan, warmUp } from "./warm-up.ts";

/** How long is measured. */
export interface Plan {
  readonly rounds: number;
  /** Of one system in one round. */
  readonly roundSeconds: number;
  readonly warmUp: WarmUpPlan;
}

interface Turn {
  readonly system: System;
  readonly running: RunningSystem;
  readonly rounds: MeasuredRound[];
  readonly idle: IdleTime;
}

/** Measures; `progress` hears what is being done. The stage is the caller's to close. */
export async function measureCase(
  stage: Stage,
  loadCase: LoadCase,
  systems: readonly System[],
  plan: Plan,
  progress: (what: string) => void,
): Promise<Result[]> {
  progress(`${loadCase.name}: starting ${systems.map(({ name }) => name).join(", ")}`);
  const turns: Turn[] = [];
  // One after the other: together they would fight for the processors and miss their deadlines.
  for (const system of systems) {
    const running = await system.start(stage, loadCase);
    turns.push({ system, running, rounds: [], idle: new IdleTime(() => cpuOf(running.daemons)) });
  }
  const { method, bytes, text, inFlight } = loadCase;
  const command = { op: "run", method, bytes, text, inFlight } as const;
  for (const { system, running } of turns) {
    progress(`${loadCase.name}: warming up ${system.name}`);
    await running.enter?.();
    await warmUp(running.client, command, plan.warmUp);
    await running.leave?.();
  }
  for (let round = 1; round <= plan.rounds; round++) {
    progress(`${loadCase.name}: round ${round} of ${plan.rounds}`);
    for (const { system, running, rounds, idle } of turns) {
      idle.end();
      await running.enter?.();
      const series = system.name;
      rounds.push(
        await measureRound(running, { ...command, seconds: plan.roundSeconds, keep: true, series }),
      );
      await running.leave?.();
      idle.begin();
    }
  }
  const results = new Map<string, Result>();
  for (const { system, running, rounds, idle } of turns) {
    const figures = await running.client.figures(system.name);
    const result = resultOf(loadCase, system.name, rounds, figures);
    results.set(system.name, { ...result, daemonIdleCpuShare: idle.cpuShare() });
  }
  return turns.map(({ system }) => withRatios(loadCase, system, results));
}

/** What the other app sends, and for how long before it counts and after. */
const hogCommand = { op: "run", method: "put", bytes: 1 << 20, inFlight: 32, keep: false } as const;
const hogLeadSeconds = 0.3;

async function measureRound(
  { client, server, daemons, hog }: RunningSystem,
  command: RunCommand,
): Promise<MeasuredRound> {
  const hogging = hog?.run({ ...hogCommand, seconds: command.seconds + 2 * hogLeadSeconds });
  if (hogging !== undefined) await setTimeout(hogLeadSeconds * 1000);
  const groups = [daemons, [client], [server]].map((programs) => ({
    programs,
    before: cpuOf(programs),
  }));
  const round = await client.run(command);
  const hogRound = await hogging;
  const used = groups.map(({ programs, before }) => {
    const after = cpuOf(programs);
    return after === null || before === null ? null : after - before;
  });
  const [daemonCpuSeconds = null, clientCpuSeconds = null, serverCpuSeconds = null] = used;
  const hogCallsPerSecond = hogRound === undefined ? null : hogRound.calls / hogRound.seconds;
  return { ...round, daemonCpuSeconds, clientCpuSeconds, serverCpuSeconds, hogCallsPerSecond };
}

function cpuOf(programs: readonly Program[]): number | null {
  return sum(programs.map(({ pid }) => cpuSeconds(pid)));
}

function withRatios(
  loadCase: LoadCase,
  system: System,
  results: ReadonlyMap<string, Result>,
): Result {
  const result = results.get(system.name)!;
  const { comparedBy } = loadCase;
  const plain = results.get(system.plain ?? "");
  return {
    ...result,
    ratioToGrpcJs: compare(comparedBy, result, results.get("grpc-js")),
    ratioToFloor: compare(comparedBy, result, results.get(system.floors[loadCase.name] ?? "")),
    ratioToPlain: plain === result ? null : compareRounds(comparedBy, result, plain),
    p99RatioToPlain:
      plain === undefined || plain === result ? null : ratio(result.p99Us, plain.p99Us),
    ratioToTarget: ratio(result.callsPerSecond, system.targetRate ?? null),
  };
}

/** A system while it is measured: its programs, and what they have come to at the present point. */

import type { LoadMethod } from "../cases/case.ts";
import { figuresOf, mergeHistograms } from "../figures/histogram.ts";
import type { SampleFigures } from "../figures/samples.ts";
import { median, ratio, sum } from "../figures/statistics.ts";
import type { ProcessFigures, ResultLine, Role } from "../launcher/result-line.ts";
import type { RoundReply } from "../load/load-command.ts";
import { cpuOfTree, memoryOfTree } from "../processes/process-tree.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import type { RunningSystem, System } from "../systems/system.ts";
import { commandOf, defaultLeadSeconds, type LoadPoint } from "./load-grid.ts";

const roles: readonly Role[] = ["client", "server", "between", "beside"];
/** Under way while code is to be compiled: so many calls, of so many bytes together. */
const crowdedInFlight = 64;
const crowdedBytes = 128 * 1024;

interface Worker {
  readonly role: Role;
  readonly program: Program;
  /** Processor seconds in the rounds of the present point. */
  cpuSeconds: number | null;
}

interface LoadRound {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Us: number | null;
  readonly shed: number;
  readonly cpuSeconds: number | null;
}

export class LoadSubject {
  readonly system: System;
  readonly stage: Stage;
  private readonly running: RunningSystem;
  private readonly workers: readonly Worker[];
  private readonly method: LoadMethod;
  private rounds: LoadRound[] = [];

  constructor(system: System, stage: Stage, running: RunningSystem, method: LoadMethod) {
    this.system = system;
    this.stage = stage;
    this.running = running;
    this.method = method;
    this.workers = workersOf(running);
  }

  /**
   * Runs all that will be measured, for so many seconds together, with many calls under way: what runs is
   * compiled after so many calls, which one at a time would take many seconds to make, and other sizes are
   * other code and other memory.
   */
  async warmUp(points: readonly LoadPoint[], seconds: number): Promise<void> {
    const share = seconds / points.length;
    await this.turn(async () => {
      for (const point of points) await this.run(crowded(point), share, false);
    });
  }

  /** So many seconds of the load, so that what it needs is there: buffers, pages, compiled code. */
  async settle(point: LoadPoint, seconds: number): Promise<void> {
    this.rounds = [];
    for (const worker of this.workers) worker.cpuSeconds = null;
    await this.turn(async () => {
      await this.run(crowded(point), seconds / 2, false);
      await this.run(point, seconds / 2, false);
    });
  }

  /** One round of the present point, behind `leadSeconds` that do not count. */
  async round(
    point: LoadPoint,
    seconds: number,
    leadSeconds: number = defaultLeadSeconds,
  ): Promise<void> {
    await this.turn(async () => {
      await this.run(point, leadSeconds, false);
      const before = this.workers.map(({ program }) => cpuOfTree(program.pid));
      const replies = await this.run(point, seconds, true);
      const used = this.workers.map((worker, index) => {
        const after = cpuOfTree(worker.program.pid);
        const spent = after === null || before[index] == null ? null : after - before[index];
        worker.cpuSeconds = sum([worker.cpuSeconds, spent]);
        return spent;
      });
      this.rounds.push({
        calls: total(replies.map(({ calls }) => calls)),
        callsPerSecond: total(replies.map(({ calls, seconds: took }) => calls / took)),
        p50Us: replies.length === 1 ? replies[0]!.p50Us : null,
        shed: total(replies.map(({ shed = 0 }) => shed)),
        cpuSeconds: sum(used),
      });
    });
  }

  /** What the rounds of the point have come to. */
  async result(point: LoadPoint): Promise<Omit<ResultLine, "experiment">> {
    const { rounds } = this;
    const latencies = await this.latencies(point);
    const calls = total(rounds.map((round) => round.calls));
    const callsPerSecond = median(rounds.map((round) => round.callsPerSecond));
    const cpu = (role?: Role): number | null => {
      const some = this.workers.filter((worker) => role === undefined || worker.role === role);
      const seconds = sum(some.map((worker) => worker.cpuSeconds));
      return seconds === null ? null : ratio(seconds * 1e6, calls);
    };
    const cpuMicrosPerCall = cpu();
    const figures: Record<string, number | null> = {
      samples: latencies.samples,
      p50Us: latencies.p50Us,
      p95Us: latencies.p95Us,
      p99Us: latencies.p99Us,
      p999Us: latencies.p999Us,
      minUs: latencies.minUs,
      callsPerSecond,
      bytesPerSecond: callsPerSecond === null ? null : callsPerSecond * point.bytes,
      cpuMicrosPerCall,
      // The same number: a millionth of a million.
      cpuSecondsPerMillionCalls: cpuMicrosPerCall,
      cpuMicrosPerCallClient: cpu("client"),
      cpuMicrosPerCallServer: cpu("server"),
      cpuMicrosPerCallBetween: cpu("between"),
    };
    if (point.rate > 0) {
      figures["offeredPerSecond"] = point.rate;
      figures["achievedPerSecond"] = callsPerSecond;
      figures["shed"] = total(rounds.map(({ shed }) => shed));
    }
    const p50s = rounds.flatMap(({ p50Us }) => p50Us ?? []);
    const cpus = rounds.flatMap((round) =>
      round.cpuSeconds === null || round.calls === 0
        ? []
        : [(round.cpuSeconds * 1e6) / round.calls],
    );
    return {
      system: this.system.name,
      parameters: parametersOf(point),
      figures: rounded(figures),
      rounds: {
        callsPerSecond: rounds.map((round) => roundedValue(round.callsPerSecond)),
        ...(p50s.length === rounds.length ? { p50Us: p50s.map(roundedValue) } : {}),
        ...(cpus.length === rounds.length ? { cpuMicrosPerCall: cpus.map(roundedValue) } : {}),
      },
      processes: this.workers.map(({ role, program, cpuSeconds }): ProcessFigures => {
        const pssBytes = memoryOfTree(program.pid);
        return { name: program.name, role, cpuSeconds, pssBytes };
      }),
    };
  }

  /** The share of what was offered that was done, in the rounds of the point. */
  achievedShare(point: LoadPoint): number {
    const achieved = median(this.rounds.map((round) => round.callsPerSecond)) ?? 0;
    return point.rate === 0 ? 1 : achieved / point.rate;
  }

  private clients(): readonly Program[] {
    return this.running.clients ?? [this.running.client];
  }

  private clientsOf({ clients }: LoadPoint): readonly Program[] {
    return this.clients().slice(0, clients);
  }

  private run(point: LoadPoint, seconds: number, keep: boolean): Promise<RoundReply[]> {
    return Promise.all(
      this.clientsOf(point).map((client, index) =>
        client.run({ ...commandOf(this.method, point, index), seconds, keep }),
      ),
    );
  }

  /** Of one client exactly, of several put together. */
  private async latencies(point: LoadPoint): Promise<SampleFigures> {
    const replies = await Promise.all(this.clientsOf(point).map((each) => each.takeHistogram()));
    const [first] = replies;
    if (replies.length === 1) return first!;
    return figuresOf(mergeHistograms(replies.map(({ histogram = [] }) => histogram)));
  }

  private async turn<T>(work: () => Promise<T>): Promise<T> {
    await this.running.enter?.();
    const done = await work();
    await this.running.leave?.();
    return done;
  }
}

/** The same calls, many at a time. */
function crowded(point: LoadPoint): LoadPoint {
  const most = Math.min(crowdedInFlight, Math.floor(crowdedBytes / point.bytes));
  return { ...point, inFlight: Math.max(point.inFlight, most), rate: 0 };
}

/** What the result says of the load; `rate` only where there is one. */
export function parametersOf({ rate, ...point }: LoadPoint): Record<string, number> {
  return rate === 0 ? point : { ...point, rate };
}

function workersOf({
  client,
  clients = [client],
  server,
  daemons,
  beside = [],
}: RunningSystem): Worker[] {
  const byRole: Record<Role, readonly Program[]> = {
    client: clients,
    server: [server],
    between: daemons,
    beside,
  };
  return roles.flatMap((role) =>
    byRole[role].map((program) => ({ role, program, cpuSeconds: null })),
  );
}

function total(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function rounded(figures: Record<string, number | null>): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [
      key,
      value === null ? null : roundedValue(value),
    ]),
  );
}

/** A hundredth of a microsecond, or of a call, is noise. */
function roundedValue(value: number): number {
  return Math.round(value * 100) / 100;
}

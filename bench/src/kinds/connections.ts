/**
 * The kind `connections`: a call of one client while there are `others`, idle or with a share of them active. All
 * systems are there and take turns; the others of a system that has no turn are idle.
 */

import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import { reasonOf } from "../launcher/reason.ts";
import { Crowd } from "../load/crowd.ts";
import type { System } from "../systems/system.ts";
import { levelsOf } from "./footprint-settings.ts";
import type { LoadPoint } from "./load-grid.ts";
import { LoadSubject } from "./load-subject.ts";

const crowdProcesses = 4;
const quickProcesses = 1;
/** So often an active connection calls. */
const callsPerSecond = 10;
const warmUpSeconds = 2;
const quickSeconds = 0.1;
const settleSeconds = 0.2;
const point: LoadPoint = { bytes: 64, inFlight: 1, clients: 1, rate: 0 };

interface Turn {
  readonly system: System;
  readonly subject: LoadSubject;
  readonly crowd: Crowd;
  others: number;
  /** Milliseconds per connection, of the last that were made. */
  attachMs: number | null;
}

export const connectionsKind: ExperimentKind = {
  name: "connections",
  run: async (context) => {
    const levels = levelsOf(context.experiment, "others", context.quick);
    const shares = (context.experiment.grid["activePercent"] ?? [0]).map(Number);
    const turns = await startAll(context);
    for (const others of levels) {
      await each(context, turns, async (turn) => {
        context.progress(`${turn.system.name}: ${others} others`);
        const more = others - turn.others;
        turn.attachMs = more > 0 ? (await turn.crowd.attach(others)) / more : null;
        // Each has made a call: from here on all that a connection has is there.
        await turn.crowd.call();
        turn.others = others;
      });
      for (const activePercent of shares) {
        const active = Math.round((others * activePercent) / 100);
        if (activePercent > 0 && active === 0) continue;
        await measure(context, turns, others, activePercent, active);
      }
    }
  },
};

async function startAll(context: ExperimentContext): Promise<Turn[]> {
  const { systems, quick, progress, emit } = context;
  const turns: Turn[] = [];
  for (const system of systems) {
    if (context.signal.aborted) break;
    progress(`${system.name}: starting`);
    const stage = context.stage();
    try {
      const running = await system.start(stage, { method: "echo", bytes: 64, inFlight: 1 });
      const crowd = await Crowd.beside(
        stage,
        system.name,
        running,
        quick ? quickProcesses : crowdProcesses,
      );
      if (crowd === undefined) {
        const skipped = `there is no program that makes many connections to ${system.name}`;
        emit({ system: system.name, parameters: {}, skipped, figures: {} });
        continue;
      }
      const subject = new LoadSubject(system, stage, running, "echo");
      await subject.warmUp([point], quick ? quickSeconds : warmUpSeconds);
      turns.push({ system, subject, crowd, others: 0, attachMs: null });
    } catch (error) {
      broken(context, system.name, error, stage.tails());
    }
  }
  return turns;
}

/** All systems one after the other; one that fails takes no further part. */
async function each(
  context: ExperimentContext,
  turns: Turn[],
  work: (turn: Turn) => Promise<void>,
): Promise<void> {
  for (const turn of [...turns]) {
    context.signal.throwIfAborted();
    try {
      await work(turn);
    } catch (error) {
      turns.splice(turns.indexOf(turn), 1);
      broken(context, turn.system.name, error, turn.subject.stage.tails());
    }
  }
}

function broken(
  { signal, emit, failed }: ExperimentContext,
  system: string,
  error: unknown,
  tails: string,
): void {
  // What is ended fails, but not by itself.
  if (signal.aborted) return;
  emit({ system, parameters: {}, skipped: `it failed: ${reasonOf(error)}`, figures: {} });
  failed(system, error, tails);
}

async function measure(
  context: ExperimentContext,
  turns: Turn[],
  others: number,
  activePercent: number,
  active: number,
): Promise<void> {
  const { experiment, quick, emit } = context;
  const seconds = quick ? quickSeconds : experiment.roundSeconds;
  const whileActive = async ({ crowd }: Turn, work: () => Promise<void>): Promise<void> => {
    if (active > 0) await crowd.busy(active, callsPerSecond);
    await work();
    if (active > 0) await crowd.idle();
  };
  await each(context, turns, ({ subject }) => subject.settle(point, settleSeconds));
  for (let round = 0; round < (quick ? 1 : experiment.rounds); round++) {
    await each(context, turns, (turn) =>
      whileActive(turn, () => turn.subject.round(point, seconds)),
    );
  }
  await each(context, turns, async ({ system, subject, attachMs }) => {
    const { figures, rounds = {} } = await subject.result(point);
    emit({
      system: system.name,
      parameters: { others, activePercent },
      figures: {
        p50Us: figures["p50Us"] ?? null,
        p99Us: figures["p99Us"] ?? null,
        callsPerSecond: figures["callsPerSecond"] ?? null,
        attachMs:
          activePercent === 0 && attachMs !== null ? Math.round(attachMs * 1000) / 1000 : null,
      },
      rounds,
    });
  });
}

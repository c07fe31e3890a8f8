/**
 * The kind `trace`: one call at a time through programs that note when it passes the points of its way, with
 * different chains of policies in their daemons. The same system without trace points shows what they cost.
 */

import { postAdmin } from "@koala/ctl";
import { KoalaError } from "@koala/interface";
import type { PolicySpec } from "@koala/protocol";
import { median, sum } from "../figures/statistics.ts";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import type { Program } from "../processes/program.ts";
import type { RunningSystem, System } from "../systems/system.ts";
import { type ProcessorShares, processorShares } from "../trace/processor-shares.ts";
import { TracedSystem, tracedNames } from "../trace/traced-system.ts";
import { partsOf, readCalls, type TracedCall } from "../trace/way.ts";

/** Policies that are attached together. */
interface Chain {
  readonly name: string;
  readonly policies: readonly PolicySpec[];
}

interface Subject {
  readonly system: System;
  readonly plain: RunningSystem;
  readonly traced: TracedSystem;
  readonly plainMicros: number[];
  readonly rows: readonly ChainRow[];
  /** Processor time of each program while there were rounds, and calls in them. */
  readonly used: Map<Program, ProcessorShares>;
  usedCalls: number;
}

/** What is known of one chain. */
interface ChainRow {
  readonly chain: Chain;
  readonly calls: TracedCall[];
  incomplete: number;
  rounds: number[];
}

const load = { op: "run", method: "echo", bytes: 64, inFlight: 1 } as const;
const warmUpSeconds = 2;
/** After policies have changed, before it is measured. */
const settleSeconds = 0.15;
const quickSeconds = 0.1;
/** Of the limit of time, for rounds. */
const usedShare = 0.85;

export const traceKind: ExperimentKind = {
  name: "trace",
  run: async (context) => {
    const began = performance.now();
    const { quick, experiment, progress, signal } = context;
    const all = readChains(context);
    const chains = quick ? all.slice(0, 2) : all;
    const subjects: Subject[] = [];
    for (const system of context.systems) {
      if (signal.aborted) return;
      progress(`starting ${system.name}`);
      subjects.push(await start(context, system, chains));
    }
    const rounds = quick ? 1 : experiment.rounds;
    // What has been measured by then is reported, on a machine that is too slow for all of it, too.
    const until = began + experiment.limitSeconds * 1000 * usedShare;
    for (let round = 1; round <= rounds; round++) {
      for (const [index, chain] of chains.entries()) {
        if (performance.now() > until) break;
        progress(`round ${round} of ${rounds}: ${chain.name}`);
        for (const subject of subjects) {
          if (signal.aborted) return;
          await measure(subject, index, quick ? quickSeconds : experiment.roundSeconds);
        }
      }
    }
    for (const subject of subjects) report(context, subject);
  },
};

function readChains({ experiment }: ExperimentContext): Chain[] {
  const wrong = (what: string): KoalaError =>
    new KoalaError("ERR_EVAL_SETTINGS", `eval/${experiment.name}/experiment.toml: ${what}`);
  const untraceable = experiment.systems.find((name) => !tracedNames.includes(name));
  if (untraceable !== undefined) {
    throw wrong(`systems are ${tracedNames.join(", ")}; found "${untraceable}"`);
  }
  const { chains, ...rest } = experiment.settings;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw wrong(`settings of a trace are chains; found "${unknown}"`);
  if (!Array.isArray(chains) || chains.length === 0) {
    throw wrong("settings.chains is a list of tables");
  }
  return chains.map((chain: Readonly<Record<string, unknown>>) => {
    const { name, policies = [] } = chain;
    if (typeof name !== "string") throw wrong("each of settings.chains has a name");
    if (!Array.isArray(policies)) throw wrong(`the policies of the chain "${name}" are a list`);
    return {
      name,
      policies: policies.map((spec: PolicySpec, i) => ({ ...spec, name: `${spec.use}-${i}` })),
    };
  });
}

async function start(
  context: ExperimentContext,
  system: System,
  chains: readonly Chain[],
): Promise<Subject> {
  const stage = context.stage();
  const plain = await system.start(stage, { method: load.method, bytes: load.bytes, inFlight: 1 });
  const traced = await TracedSystem.start(stage, system.name);
  const seconds = context.quick ? quickSeconds : warmUpSeconds;
  await plain.client.run({ ...load, seconds, keep: false });
  await traced.running.client.run({ ...load, seconds, keep: false });
  const rows = chains.map((chain) => ({ chain, calls: [], incomplete: 0, rounds: [] }));
  return { system, plain, traced, plainMicros: [], rows, used: new Map(), usedCalls: 0 };
}

/** One round of one chain; before the first chain, one of the system without trace points. */
async function measure(subject: Subject, index: number, seconds: number): Promise<void> {
  const { plain, traced } = subject;
  const row = subject.rows[index]!;
  if (index === 0) {
    const { p50Us } = await plain.client.run({ ...load, seconds, keep: true });
    if (p50Us !== null) subject.plainMicros.push(p50Us);
  }
  const { client } = traced.running;
  const { policies } = row.chain;
  for (const { prefix } of traced.hosts) {
    for (const policy of policies) await postAdmin(prefix, "/v1/policies/attach", { policy });
  }
  await client.run({ ...load, seconds: Math.min(seconds, settleSeconds), keep: false });
  traced.takeNotes();
  const programs = programsOf(traced);
  const before = programs.map(({ pid }) => processorShares(pid));
  const { calls } = await client.run({ ...load, seconds, keep: true });
  subject.usedCalls += calls;
  for (const [i, program] of programs.entries()) {
    const after = processorShares(program.pid);
    if (after === undefined || before[i] === undefined) continue;
    const { user, system } = subject.used.get(program) ?? { user: 0, system: 0 };
    subject.used.set(program, {
      user: user + after.user - before[i].user,
      system: system + after.system - before[i].system,
    });
  }
  const found = readCalls(traced.takeNotes(), traced.way);
  row.calls.push(...found.calls);
  row.incomplete += found.incomplete;
  const middle = median(found.calls.map(({ total }) => total));
  if (middle !== null) row.rounds.push(middle);
  for (const { prefix } of traced.hosts) {
    for (const { name = "" } of policies) await postAdmin(prefix, "/v1/policies/detach", { name });
  }
}

function programsOf({ running, hosts }: TracedSystem): Program[] {
  return [running.client, ...hosts.map(({ daemon }) => daemon), running.server];
}

function report({ emit }: ExperimentContext, subject: Subject): void {
  const { system, traced, rows } = subject;
  const parts = partsOf(traced.way);
  const plain = rows[0]!;
  const without = median(plain.calls.map(({ policies }) => policies)) ?? 0;
  for (const { chain, calls, incomplete, rounds } of rows) {
    const middle = (of: (call: TracedCall) => number): number | null => median(calls.map(of));
    const policies = middle((call) => call.policies);
    if (calls.length === 0) {
      const skipped = "the time of the experiment was over before its first round";
      emit({ system: system.name, parameters: { chain: chain.name }, skipped, figures: {} });
      continue;
    }
    emit({
      system: system.name,
      parameters: { chain: chain.name },
      figures: {
        calls: calls.length,
        incompleteCalls: incomplete,
        callUs: middle(({ total }) => total),
        policiesUs: policies,
        policyUs:
          policies === null ? null : (policies - without) / Math.max(1, chain.policies.length),
        sendingUs: middle(({ sending }) => sending),
        ringsPerCall: mean(calls.map(({ rings }) => rings)),
        untracedP50Us: chain === plain.chain ? median(subject.plainMicros) : null,
      },
      rounds: { callUs: rounds },
    });
  }
  const whole = sum(parts.map((_, i) => median(plain.calls.map((call) => call.parts[i]!))));
  for (const [i, part] of parts.entries()) {
    const us = median(plain.calls.map((call) => call.parts[i]!));
    const share = us === null || whole === null ? null : us / whole;
    emit({ system: system.name, parameters: { part }, figures: { us, share } });
  }
  for (const program of programsOf(traced)) {
    const { user, system: kernel } = subject.used.get(program) ?? { user: 0, system: 0 };
    const perCall = (seconds: number): number | null =>
      subject.usedCalls === 0 ? null : (seconds * 1e6) / subject.usedCalls;
    const all = user + kernel;
    emit({
      system: system.name,
      parameters: { process: program.name.replace(`${system.name} traced `, "") },
      figures: {
        userUsPerCall: perCall(user),
        systemUsPerCall: perCall(kernel),
        userShare: all === 0 ? null : user / all,
      },
    });
  }
}

function mean(values: readonly number[]): number | null {
  const total = sum(values);
  return total === null || values.length === 0 ? null : total / values.length;
}

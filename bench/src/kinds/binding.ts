/**
 * How long it takes from a service's descriptor to the first reply, by the number of message types that the
 * call reaches: of a schema that nobody has seen, of one that the daemon knows, and after the daemon was
 * restarted; and what other apps notice meanwhile. Each process binds once: what has bound before is faster.
 */

import { type SeenChange, seeChange } from "../cases/changes.ts";
import { median } from "../figures/statistics.ts";
import type { Experiment } from "../launcher/experiment.ts";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import type { CallCommand, Called, ServeCommand, Split } from "../load/binding.ts";
import { cpuSeconds } from "../processes/cpu-time.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import { type Host, restartHost, startHost } from "../systems/koala.ts";
import type { System } from "../systems/system.ts";
import { wrongSetting } from "./policy-settings.ts";

/** A command may have to wait for a machine that is busy. */
const commandMs = 20_000;
const watchSeconds = 1;
const stepMs = 1;
/** Calls in flight of the app that is watched while others bind. */
const othersInFlight = 16;

/** By name of the situation and of the figure. */
type Rounds = Map<string, Map<string, number[]>>;

/** Systems of this kind are started by it; nobody else starts them. */
function own(name: string): System {
  const start = (): never => {
    throw new Error(`${name} of binding is started by its kind`);
  };
  return { name, cases: [], byDefault: false, floors: {}, start };
}

export const bindingKind: ExperimentKind = {
  name: "binding",
  systems: [own("koala-local"), own("koala-tcp"), own("grpc-js")],
  run: async (context) => {
    const { experiment, quick } = context;
    const types = readSizes(experiment);
    const sizes = quick ? types.slice(0, 1) : types;
    for (const { name } of context.systems) {
      context.signal.throwIfAborted();
      if (quick && name === "koala-local") {
        context.skip(name, "a quick run binds over koala-tcp, where there is more to see");
        continue;
      }
      context.progress(`starting ${name}`);
      const stage = context.stage();
      if (name === "grpc-js") await measureGrpc(context, stage, sizes);
      else await measureKoala(context, stage, name, sizes);
      await stage.close();
    }
  },
};

/** The numbers of message types; `ERR_EVAL_SETTINGS` when they are none. */
export function readSizes({ name, grid }: Pick<Experiment, "name" | "grid">): readonly number[] {
  const types = grid["types"] ?? [];
  const counts = types.map(Number);
  const isCount = (value: number, index: number) =>
    value === types[index] && Number.isInteger(value) && value > 0;
  if (counts.length > 0 && counts.every(isCount)) return counts;
  throw wrongSetting(name, "types (in [grid])", "a list of whole numbers above 0");
}

/** Starts a program, asks it, ends it. */
async function inOwnProcess<T>(
  stage: Stage,
  file: string,
  options: {
    readonly name: string;
    readonly args?: string[];
    readonly env?: Record<string, string>;
  },
  use: (program: Program, port: number) => Promise<T>,
): Promise<T> {
  const program = stage.start(file, options);
  const { port = 0 } = await program.ready();
  try {
    return await use(program, port);
  } finally {
    await program.end();
  }
}

async function ask(program: Program, command: CallCommand): Promise<number> {
  return ((await program.ask(command, commandMs)) as Called).ms;
}

async function measureKoala(
  context: ExperimentContext,
  stage: Stage,
  system: string,
  sizes: readonly number[],
): Promise<void> {
  const { experiment, quick, signal, progress } = context;
  const far = await startHost(stage, `${system} far daemon`, []);
  let near = system === "koala-tcp" ? await startHost(stage, `${system} near daemon`, [far]) : far;
  const serverEnv = { KOALA_PREFIX: far.prefix };
  const env = { KOALA_PREFIX: near.prefix };
  const server = stage.start("binding-server.js", { name: `${system} server`, env: serverEnv });
  await server.ready();
  const client = { name: `${system} client`, env };
  const rounds = quick ? 1 : experiment.rounds;
  for (const types of sizes) {
    progress(`${system}: ${types} types`);
    const found: Rounds = new Map();
    for (let round = 0; round < rounds; round++) {
      signal.throwIfAborted();
      const schema = { types, tag: `${system.replace("-", "_")}_${types}_${round}` };
      await serve(server, schema);
      await inOwnProcess(stage, "binding-client.js", client, async (program) => {
        const before = cpuOf(near, far);
        note(found, "cold", "firstReplyMs", await ask(program, { op: "bind", ...schema }));
        const after = cpuOf(near, far);
        note(found, "cold", "nearCpuMs", (after.near - before.near) * 1000);
        if (near !== far) note(found, "cold", "farCpuMs", (after.far - before.far) * 1000);
        note(found, "bound", "firstReplyMs", await ask(program, { op: "call", ...schema }));
        // The far daemon forgets nothing: what is new is the near one, and the app's connection.
        if (near !== far && round === 0) {
          near = await restartHost(stage, near);
          note(found, "restarted", "firstReplyMs", await ask(program, { op: "call", ...schema }));
        }
      });
      await inOwnProcess(stage, "binding-client.js", client, async (program) => {
        note(found, "warm", "firstReplyMs", await ask(program, { op: "bind", ...schema }));
      });
      await inOwnProcess(stage, "binding-client.js", client, async (program) => {
        const parts = (await program.ask({ op: "split", ...schema }, commandMs)) as Split;
        note(found, "app-alone", "schemaMs", parts.schemaMs);
        note(found, "app-alone", "codecMs", parts.codecMs);
      });
    }
    emitRounds(context, system, types, found);
  }
  await measureOthers(context, stage, system, near, far, server, sizes);
}

async function serve(server: Program, schema: Omit<ServeCommand, "op">): Promise<void> {
  await server.ask({ op: "serve", ...schema } satisfies ServeCommand, commandMs);
}

/** What apps notice that call all the time while another one binds a schema that nobody has seen. */
async function measureOthers(
  { experiment, quick, signal, progress, emit }: ExperimentContext,
  stage: Stage,
  system: string,
  near: Host,
  far: Host,
  server: Program,
  sizes: readonly number[],
): Promise<void> {
  const env = { KOALA_PREFIX: near.prefix };
  const serverEnv = { KOALA_PREFIX: far.prefix };
  const other = stage.start("koala-server.js", { name: `${system} other server`, env: serverEnv });
  const args = [String(othersInFlight)];
  const watcher = stage.start("timeline-client.js", { name: `${system} other client`, args, env });
  // The client waits for the server by itself.
  await Promise.all([other.ready(), watcher.ready()]);
  const viewers = { client: watcher, seconds: quick ? 0.3 : watchSeconds, stepMs };
  for (const types of quick ? sizes : [0, ...sizes]) {
    progress(`${system}: others, ${types} types`);
    const seen: SeenChange[] = [];
    for (let round = 0; round < (quick ? 1 : Math.min(3, experiment.rounds)); round++) {
      signal.throwIfAborted();
      const schema = { types, tag: `${system.replace("-", "_")}_others_${types}_${round}` };
      if (types > 0) await serve(server, schema);
      await inOwnProcess(
        stage,
        "binding-client.js",
        { name: `${system} client`, env },
        async (program) => {
          const bind = async (): Promise<number> => {
            if (types > 0) await ask(program, { op: "bind", ...schema });
            return 0;
          };
          seen.push(await seeChange(viewers, bind));
        },
      );
    }
    const gapMs = seen.map((each) => each.gapMs);
    emit({
      system,
      parameters: { types, situation: "others" },
      figures: {
        gapMs: median(gapMs),
        failedCalls: seen.reduce((sum, { failed }) => sum + failed, 0),
      },
      rounds: { gapMs },
    });
  }
}

async function measureGrpc(
  context: ExperimentContext,
  stage: Stage,
  sizes: readonly number[],
): Promise<void> {
  const { experiment, quick, signal, progress } = context;
  for (const types of sizes) {
    progress(`grpc-js: ${types} types`);
    const found: Rounds = new Map();
    for (let round = 0; round < (quick ? 1 : experiment.rounds); round++) {
      signal.throwIfAborted();
      const schema = { types, tag: `grpc_${types}_${round}` };
      await inOwnProcess(
        stage,
        "grpc-binding-server.js",
        { name: "grpc-js server" },
        async (server, port) => {
          await serve(server, schema);
          const client = { name: "grpc-js client", args: [String(port)] };
          await inOwnProcess(stage, "grpc-binding-client.js", client, async (program) => {
            note(found, "cold", "firstReplyMs", await ask(program, { op: "bind", ...schema }));
            note(found, "bound", "firstReplyMs", await ask(program, { op: "call", ...schema }));
          });
          await inOwnProcess(stage, "grpc-binding-client.js", client, async (program) => {
            note(found, "warm", "firstReplyMs", await ask(program, { op: "bind", ...schema }));
          });
        },
      );
    }
    emitRounds(context, "grpc-js", types, found);
  }
}

function cpuOf(near: Host, far: Host): { near: number; far: number } {
  const of = ({ daemon }: Host) => cpuSeconds(daemon.pid) ?? Number.NaN;
  return { near: of(near), far: of(far) };
}

function note(found: Rounds, situation: string, figure: string, value: number): void {
  const figures = found.get(situation) ?? new Map<string, number[]>();
  found.set(situation, figures.set(figure, [...(figures.get(figure) ?? []), value]));
}

function emitRounds(
  { emit }: ExperimentContext,
  system: string,
  types: number,
  found: Rounds,
): void {
  for (const [situation, figures] of found) {
    emit({
      system,
      parameters: { types, situation },
      figures: Object.fromEntries(
        [...figures].map(([name, values]) => [name, median(values.filter(Number.isFinite))]),
      ),
      rounds: Object.fromEntries(figures),
    });
  }
}

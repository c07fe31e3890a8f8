/** A system as its file describes it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { KoalaError } from "@koala/interface";
import { doorbellCreate } from "@koala/native";
import { findPeer } from "../peers/find-peer.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import { findFreePort, portAccepts } from "./free-port.ts";
import { fillIn } from "./placeholders.ts";
import { createRingRegion } from "./ring-region.ts";
import { startOrder } from "./start-order.ts";
import type { ClientStart, RunningSystem, StartLoad, System } from "./system.ts";
import {
  readSystemFile,
  type SharedSpec,
  type SystemSpec,
  type WorkerSpec,
} from "./system-file.ts";

/** The system of a file; `ERR_EVAL_SYSTEM` says what is wrong with it. */
export function readSystem(name: string, file: string, text: string): System {
  const spec = readSystemFile(name, file, text);
  const order = startOrder(spec);
  const { title, cases, byDefault, floors, plain, needs, limits } = spec;
  return {
    name,
    title,
    cases,
    byDefault,
    floors,
    needs,
    limits,
    ...(plain === undefined ? {} : { plain }),
    start: (stage, load) => new Start(stage, spec, load).run(order),
  };
}

interface Started {
  readonly worker: WorkerSpec;
  readonly program: Program;
}

/** One start of a system. */
class Start {
  private readonly stage: Stage;
  private readonly spec: SystemSpec;
  private readonly load: StartLoad;
  private clientStart: ClientStart | undefined;
  private readonly values = new Map<string, Map<string, string>>();
  private readonly fds = new Map<string, number>();

  constructor(stage: Stage, spec: SystemSpec, load: StartLoad) {
    this.stage = stage;
    this.spec = spec;
    this.load = load;
  }

  async run(order: readonly WorkerSpec[]): Promise<RunningSystem> {
    for (const need of this.spec.needs) await this.learn(need);
    for (const shared of this.spec.shared) this.fds.set(shared.name, create(this.stage, shared));
    const started: Started[] = [];
    for (const worker of order) {
      const count = worker.role === "client" ? (this.load.clients ?? 1) : 1;
      // One after the other: together they would fight for the processors and miss their deadlines.
      for (let i = 1; i <= count; i++) {
        const title = `${this.spec.name} ${worker.name}${count === 1 ? "" : ` ${i}`}`;
        started.push({ worker, program: await this.start(worker, title) });
      }
    }
    const having = (role: WorkerSpec["role"]): Program[] =>
      started.filter(({ worker }) => worker.role === role).map(({ program }) => program);
    const clients = having("client");
    const [server] = having("server");
    return {
      client: clients[0]!,
      clients,
      server: server!,
      daemons: having("between"),
      beside: having("beside"),
      ...(this.clientStart === undefined ? {} : { clientStart: this.clientStart }),
    };
  }

  /** What is known of others' software. */
  private async learn(need: string): Promise<void> {
    const found = await findPeer(need).find();
    if ("missing" in found) throw new KoalaError("ERR_EVAL_PEER", found.missing);
    this.values.set(need, new Map(Object.entries(found.vars)));
  }

  private async start(worker: WorkerSpec, title: string): Promise<Program> {
    const folder = this.stage.folder(worker.name);
    const known = new Map([["folder", folder]]);
    this.values.set(worker.name, known);
    if (worker.port) known.set("port", String(await findFreePort()));
    const fill = (text: string): string => fillIn(this.spec.file, worker.name, text, this.values);
    for (const { path, text } of worker.files) {
      const target = join(folder, fill(path));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, fill(text));
    }
    const args = worker.args.map(fill);
    const env = Object.fromEntries(
      Object.entries(worker.env).map(([key, value]) => [key, fill(value)]),
    );
    if (worker.role === "client" && worker.program !== undefined) {
      this.clientStart ??= { program: worker.program, args, env };
    }
    const program = this.stage.startWorker(
      {
        name: title,
        path: fill(pathOf(worker)),
        isCommand: worker.command !== undefined,
        args,
        env,
        fds: worker.fds.map((name) => this.fdOf(worker, name)),
      },
      worker.obeys,
    );
    await this.ready(worker, program, known);
    return program;
  }

  /** Waits until it is ready, and keeps what it says of itself. */
  private async ready(
    worker: WorkerSpec,
    program: Program,
    known: Map<string, string>,
  ): Promise<void> {
    for (const pattern of worker.ready) {
      const { groups = {} } = await program.line(pattern);
      for (const [key, value] of Object.entries(groups)) known.set(key, value);
    }
    if (worker.obeys) {
      const { port } = await program.ready();
      if (port !== undefined) known.set("port", String(port));
    }
    if (worker.readyByPort) {
      const port = Number(known.get("port"));
      await portAccepts(port, program.name, () => !program.isRunning());
    }
  }

  private fdOf(worker: WorkerSpec, name: string): number {
    const fd = this.fds.get(name);
    if (fd !== undefined) return fd;
    throw new KoalaError(
      "ERR_EVAL_SYSTEM",
      `${this.spec.file}: worker "${worker.name}" wants the descriptor "${name}", ` +
        `expected one of [[shared]]: ${[...this.fds.keys()].join(", ")}`,
    );
  }
}

function pathOf({ program, module, command = "" }: WorkerSpec): string {
  if (program !== undefined)
    return fileURLToPath(new URL(`../programs/${program}`, import.meta.url));
  return module === undefined ? command : fileURLToPath(import.meta.resolve(module));
}

function create(stage: Stage, { kind }: SharedSpec): number {
  return stage.own(kind === "doorbell" ? doorbellCreate() : createRingRegion().fd);
}

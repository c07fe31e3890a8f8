/** What `bench/systems/NAME.toml` says: of which processes a system is made. */

import type { LoadMethod } from "../cases/case.ts";
import { type Fields, readFields } from "../launcher/fields.ts";
import type { Role } from "../launcher/result-line.ts";
import type { SystemLimits } from "./system.ts";

const code = "ERR_EVAL_SYSTEM";
const roles: readonly Role[] = ["client", "server", "between", "beside"];
const methods: readonly LoadMethod[] = ["echo", "put", "down", "up", "both"];
const namePattern = /^[a-z][a-z0-9-]*$/;

/** How a process is started and known to be ready. Strings may hold placeholders: `placeholders.ts`. */
export interface WorkerSpec {
  readonly name: string;
  readonly role: Role;
  /** Exactly one of the three: a compiled program of `programs/`, a module of a package, any command. */
  readonly program?: string;
  readonly module?: string;
  readonly command?: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Names of `shared` things, which it gets as descriptors 3, 4, … */
  readonly fds: readonly string[];
  /** Whether it speaks as load programs do (`load-command.ts`): says that it is ready, ends when it is told. */
  readonly obeys: boolean;
  /** Lines that it prints, in order, until it is ready; what named groups find are its values. */
  readonly ready: readonly RegExp[];
  /** A free port is found for it, since it can't say which it has got. */
  readonly port: boolean;
  /** It is ready when its port accepts connections. */
  readonly readyByPort: boolean;
  /** Workers that are to be ready before it, besides those that placeholders name. */
  readonly after: readonly string[];
  /** Written into its folder before it starts. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/** Memory or a doorbell that several workers have. */
export interface SharedSpec {
  readonly name: string;
  readonly kind: "ring-region" | "doorbell";
}

export interface SystemSpec {
  readonly file: string;
  readonly name: string;
  readonly title: string;
  readonly cases: readonly string[];
  readonly byDefault: boolean;
  readonly floors: Readonly<Record<string, string>>;
  readonly plain: string | undefined;
  readonly needs: readonly string[];
  readonly limits: SystemLimits;
  readonly shared: readonly SharedSpec[];
  readonly workers: readonly WorkerSpec[];
}

/** Reads a file; `ERR_EVAL_SYSTEM` says what is wrong with it. */
export function readSystemFile(name: string, file: string, text: string): SystemSpec {
  const fields = readFields(code, file, text);
  const spec: SystemSpec = {
    file,
    name,
    title: fields.text("title"),
    cases: fields.texts("cases", []),
    byDefault: fields.flag("by_default", true),
    floors: fields.textTable("floors"),
    plain: fields.has("plain") ? fields.text("plain") : undefined,
    needs: fields.texts("needs", []),
    limits: readLimits(fields.below("limits")),
    shared: fields.tables("shared").map(readShared),
    workers: fields.tables("worker").map(readWorker),
  };
  fields.end();
  const names = [...spec.workers, ...spec.shared].map((each) => each.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined) throw fields.error(`the name "${twice}" is there twice`);
  for (const role of ["client", "server"] as const) {
    const count = spec.workers.filter((worker) => worker.role === role).length;
    if (count !== 1) {
      throw fields.error(`one worker must have the role "${role}"; there are ${count}`);
    }
  }
  return spec;
}

function readLimits(fields: Fields): SystemLimits {
  const bytesMax = fields.optionalNumber("bytes_max");
  const clientsMax = fields.optionalNumber("clients_max");
  const only = fields.texts("methods", methods);
  const unknown = only.find((method) => !methods.some((known) => known === method));
  if (unknown !== undefined) throw fields.wrong("methods", `some of ${methods.join(", ")}`);
  const limits: SystemLimits = {
    methods: methods.filter((method) => only.includes(method)),
    ...(bytesMax === undefined ? {} : { bytesMax }),
    ...(clientsMax === undefined ? {} : { clientsMax }),
    openLoop: fields.flag("open_loop", true),
  };
  fields.end();
  return limits;
}

function readShared(fields: Fields): SharedSpec {
  const shared: SharedSpec = {
    name: readName(fields),
    kind: fields.word("kind", ["ring-region", "doorbell"]),
  };
  fields.end();
  return shared;
}

function readWorker(fields: Fields): WorkerSpec {
  const starts = (["program", "module", "command"] as const).filter((key) => fields.has(key));
  const [start] = starts;
  if (start === undefined || starts.length > 1) {
    throw fields.error("a worker has exactly one of program, module and command");
  }
  const worker: WorkerSpec = {
    name: readName(fields),
    role: fields.word("role", roles),
    [start]: fields.text(start),
    args: fields.texts("args", []),
    env: fields.textTable("env"),
    fds: fields.texts("fds", []),
    obeys: fields.flag("obeys", start === "program"),
    ready: fields.texts("ready", []).map((pattern) => readPattern(fields, pattern)),
    port: fields.flag("port", false),
    readyByPort: fields.flag("ready_by_port", false),
    after: fields.texts("after", []),
    files: fields.tables("file").map((file) => {
      const read = { path: file.text("path"), text: file.text("text") };
      file.end();
      return read;
    }),
  };
  fields.end();
  if (worker.readyByPort && !worker.port) {
    throw fields.error(`"${worker.name}" is ready by its port, so it needs port = true`);
  }
  if (!worker.readyByPort && !worker.obeys && worker.ready.length === 0) {
    throw fields.error(
      `nothing says when "${worker.name}" is ready: expected ready, ready_by_port or obeys`,
    );
  }
  return worker;
}

function readName(fields: Fields): string {
  const name = fields.text("name");
  if (namePattern.test(name)) return name;
  throw fields.wrong("name", "a word of small letters, digits and hyphens");
}

function readPattern(fields: Fields, pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw fields.error(`"${pattern}" is no regular expression: ${(cause as Error).message}`, cause);
  }
}

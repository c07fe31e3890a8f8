/** What koalad would do with a configuration: the same code that reads it at a start. */
import { execFile } from "node:child_process";
import { KoalaError } from "@koala/interface";
import type { ProgramStart } from "./daemon-program.ts";

/** A port that the configuration asks for. */
export interface ConfiguredPort {
  /** `daemon.listen`. */
  readonly key: string;
  readonly host: string;
  readonly port: number;
}

/** What `koalad --print` says, as far as koalactl cares. */
export interface DaemonFacts {
  readonly version: string;
  readonly prefix: string;
  readonly apps: number;
  readonly ports: readonly ConfiguredPort[];
}

const limitMs = 60_000;

/**
 * Asks the program, which checks the configuration as it would at a start.
 *
 * @throws KoalaError `ERR_CTL_CONFIG` with what koalad says is wrong; `ERR_CTL_NO_PROGRAM` when it does not run
 */
export async function readDaemonFacts(
  [command, ...first]: ProgramStart,
  args: readonly string[],
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<DaemonFacts> {
  const { code, stdout, stderr } = await execute(command, [...first, "--print", ...args], {
    cwd: folder,
    env,
  });
  if (code === wrongConfiguration) throw new KoalaError("ERR_CTL_CONFIG", stderr.trim());
  const facts = code === 0 ? factsFrom(stdout) : undefined;
  if (facts !== undefined) return facts;
  const said = stderr.trim() === "" ? `it ended with ${code}` : stderr.trim();
  throw new KoalaError("ERR_CTL_NO_PROGRAM", `koalad (${[command, ...first].join(" ")}): ${said}`);
}

/** koalad's exit code for a wrong command line or configuration. */
const wrongConfiguration = 2;

interface Executed {
  code: number | string;
  stdout: string;
  stderr: string;
}

function execute(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<Executed> {
  return new Promise((resolve) => {
    const limits = { timeout: limitMs, maxBuffer: 1 << 24 };
    execFile(command, args, { ...options, ...limits }, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? error.signal ?? error.message);
      resolve({ code, stdout, stderr: stderr === "" && error !== null ? error.message : stderr });
    });
  });
}

function factsFrom(text: string): DaemonFacts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // an older koalad, which does not know --print
  }
  const { version, config } = (value ?? {}) as { version?: unknown; config?: unknown };
  if (typeof version !== "string" || typeof config !== "object" || config === null)
    return undefined;
  const { daemon, limits } = config as {
    daemon?: { prefix?: unknown };
    limits?: { apps?: unknown };
  };
  const prefix = daemon?.prefix;
  const apps = limits?.apps;
  if (typeof prefix !== "string" || typeof apps !== "number") return undefined;
  return { version, prefix, apps, ports: portsOf(config, "") };
}

/** Every `listen`, whatever section it is in. */
function portsOf(section: object, path: string): ConfiguredPort[] {
  return Object.entries(section).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value !== "object" || value === null) return [];
    const key = path === "" ? name : `${path}.${name}`;
    if (name !== "listen") return portsOf(value, key);
    const { host, port } = value as { host?: unknown; port?: unknown };
    return typeof host === "string" && typeof port === "number" ? [{ key, host, port }] : [];
  });
}

/** The configuration, checked by koalad itself, and the ports that it asks for. */
import { existsSync } from "node:fs";
import { KoalaError } from "@koala/interface";
import { type ConfiguredPort, type DaemonFacts, readDaemonFacts } from "../daemon-facts.ts";
import { findDaemonProgram, installDaemon } from "../daemon-program.ts";
import type { DaemonAnswer } from "./daemon-checks.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import { isListener, tryPort } from "./ports.ts";

/** Where to look for koalad and its configuration. */
export interface ConfigPlace {
  /** The folder that paths are relative to. */
  readonly folder: string;
  /** `--config`; a file that nobody has named is none. */
  readonly config: string | undefined;
  readonly prefix: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** What the checks have found, and what koalad says of its configuration if that is in order. */
export interface ConfigAnswer {
  readonly findings: readonly Finding[];
  readonly facts: DaemonFacts | undefined;
}

/** Has koalad check its configuration. */
export async function checkConfig(place: ConfigPlace, version: string): Promise<ConfigAnswer> {
  const { folder, config, prefix, env } = place;
  const program = findDaemonProgram(folder, env);
  if (program === undefined) {
    const text = "not installed here: its configuration is not checked";
    return { findings: [warning("koalad", text, installDaemon)], facts: undefined };
  }
  const args = [
    ...(config === undefined ? [] : ["--config", config]),
    ...(prefix === undefined ? [] : ["--prefix", prefix]),
  ];
  try {
    const facts = await readDaemonFacts(program, args, folder, env);
    const file = config ?? "no koala.toml, the defaults hold";
    return {
      findings: [checkProgram(facts.version, version), ok("configuration", file)],
      facts,
    };
  } catch (error) {
    if (!(error instanceof KoalaError)) throw error;
    return { findings: [refusal(error, config)], facts: undefined };
  }
}

function checkProgram(koalad: string, koalactl: string): Finding {
  if (koalad === koalactl) return ok("koalad", `${koalad} is installed`);
  const text = `koalad ${koalad} is installed, koalactl is ${koalactl}`;
  return warning("koalad", text, `npm install --save-dev @koala/daemon@${koalactl}`);
}

function refusal(error: KoalaError, config: string | undefined): Finding {
  if (error.code !== "ERR_CTL_CONFIG") return problem("koalad", error.message, installDaemon);
  const where = config === undefined ? "" : `, in ${config} for instance`;
  return problem("configuration", error.message, `correct what it names${where}`);
}

/** The file that holds unless another one is named: `koala.toml` of the folder, if it is there. */
export function defaultConfig(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

/** Whether each port can be had, or is had already by the daemon that answers. */
export async function checkPorts(
  ports: readonly ConfiguredPort[],
  answer: DaemonAnswer,
): Promise<Finding[]> {
  return await Promise.all(ports.map((port) => checkPort(port, answer)));
}

async function checkPort(port: ConfiguredPort, answer: DaemonAnswer): Promise<Finding> {
  const address = port.host.includes(":")
    ? `[${port.host}]:${port.port}`
    : `${port.host}:${port.port}`;
  if (port.port === 0) return ok(port.key, `${address}, a free port is taken`);
  const code = await tryPort(port.host, port.port);
  if (code === undefined) return ok(port.key, `${address} is free`);
  if (code !== "EADDRINUSE") {
    const fix =
      code === "EACCES"
        ? "use a port from 1024 on, or run koalad with CAP_NET_BIND_SERVICE"
        : `give ${port.key} an address of this host`;
    return problem(port.key, `${address} can't be had: ${code}`, fix);
  }
  if (!(answer instanceof KoalaError)) {
    const isIts = answer.listen === address || isListener(answer.pid, port.port);
    if (isIts) return ok(port.key, `${address} is held by the daemon, process ${answer.pid}`);
  }
  const text = `${address} is held by another program`;
  return problem(
    port.key,
    text,
    `ss -ltnp 'sport = :${port.port}' names it; or change ${port.key}`,
  );
}

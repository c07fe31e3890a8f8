/** `koalactl dev`: a daemon in the foreground, with a log for people, for as long as somebody works with it. */
import { existsSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { KoalaError } from "@koala/interface";
import { resolvePrefix } from "@koala/mrpc/prefix";
import type { ChangeAnswer } from "@koala/protocol";
import { postAdmin } from "../admin-client.ts";
import type { Context } from "../context.ts";
import { requireDaemonProgram } from "../daemon-program.ts";
import { usageError } from "../exit-code.ts";
import { watchFolder } from "../file-watch.ts";
import type { Output } from "../output.ts";
import { printable } from "../table.ts";
import { DevDaemon } from "./dev-daemon.ts";
import { formatRecord } from "./dev-log.ts";

/** How the daemon is started. */
export interface DevOptions {
  /** `--config`; else `koala.toml` of this folder, if it is there. */
  readonly config: string | undefined;
  /** `--listen`. */
  readonly listen: string | undefined;
  /** A prefix that goes away with the daemon, and a free port. */
  readonly temporary: boolean;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs it until the user ends it; rejects with `ERR_CTL_DEV` when it ends by itself. */
export async function runDev(options: DevOptions, context: Context): Promise<void> {
  const { givenPrefix, env, output } = context;
  const config = findConfig(options.config);
  const program = requireDaemonProgram(".", env);
  if (options.temporary && givenPrefix !== undefined) {
    throw usageError("--temporary makes a prefix of its own: leave --prefix out");
  }
  const temporary = options.temporary ? mkdtempSync(join(tmpdir(), "koala-dev-")) : undefined;
  const prefix = temporary ?? givenPrefix;
  const listen = options.listen ?? (options.temporary ? "127.0.0.1:0" : undefined);
  const over = new AbortController();
  let reloads: Promise<void> | undefined;
  const signal = context.interrupted();
  const wasThere = existsSync(context.prefix);
  try {
    const daemon = new DevDaemon(
      program,
      [
        ...(config === undefined ? [] : ["--config", config]),
        ...(prefix === undefined ? [] : ["--prefix", prefix]),
        ...(listen === undefined ? [] : ["--listen", listen]),
      ],
      env,
      {
        onLine: (line) => printLine(line, output),
        onReady: (at, address) => {
          // Before it is said: whoever reads it may change the file at once.
          if (config !== undefined) reloads = reload(config, at, over.signal, output);
          printReady({ prefix: at, listen: address, config }, context);
        },
      },
    );
    const stop = (): void => void daemon.stop();
    const stopOnSignals = (): void => {
      stop();
      // Whoever presses Ctrl-C again does not want to wait for calls.
      for (const name of signals) process.on(name, stop);
    };
    signal.addEventListener("abort", stopOnSignals, { once: true });
    const end = await daemon.ended;
    for (const name of signals) process.off(name, stop);
    if (end !== 0) throw endError(end);
  } finally {
    over.abort();
    await reloads;
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    else if (!wasThere) removeIfEmpty(context.prefix);
  }
}

function findConfig(named: string | undefined): string | undefined {
  const config = resolve(named ?? "koala.toml");
  if (existsSync(config)) return config;
  if (named !== undefined) throw usageError(`there is no file ${config}`);
  return undefined;
}

function endError(end: number | NodeJS.Signals): KoalaError {
  const hint =
    "what it said is above; if another daemon is in the way, `koalactl dev --temporary` starts one beside it";
  return new KoalaError("ERR_CTL_DEV", `koalad has ended (${end}): ${hint}`);
}

function printLine(line: string, output: Output): void {
  if (output.format === "json") {
    output.line(line);
    return;
  }
  const lines = formatRecord(line, output.paint);
  if (lines === undefined) output.note(line);
  else for (const text of lines) output.line(text);
}

interface Ready {
  readonly prefix: string;
  readonly listen: string | undefined;
  readonly config: string | undefined;
}

/** Where apps find it, and what to type. */
function printReady({ prefix, listen, config }: Ready, { output, env }: Context): void {
  if (output.format === "json") {
    output.json({ ready: { prefix, listen: listen ?? null, config: config ?? null } });
    return;
  }
  const isDefault = resolve(resolvePrefix(undefined, { ...env, KOALA_PREFIX: "" })) === prefix;
  output.line(output.paint("title", `ready in ${prefix}`));
  output.line(
    isDefault
      ? "  apps      find it by themselves: it is the default prefix"
      : `  apps      export KOALA_PREFIX=${prefix}`,
  );
  output.line(`  links     ${listen ?? "no port"}`);
  output.line(
    `  config    ${config === undefined ? "none" : `${config}, applied when it changes`}`,
  );
  output.line("  Ctrl-C    ends it");
}

/** Has the daemon apply its configuration whenever the file changes. */
async function reload(
  config: string,
  prefix: string,
  signal: AbortSignal,
  output: Output,
): Promise<void> {
  const name = basename(config);
  try {
    const watch = watchFolder(dirname(config), { matches: (changed) => changed === name });
    try {
      while (await watch.changed(signal)) await applyConfig(prefix, output);
    } finally {
      watch.close();
    }
  } catch (error) {
    output.failure(error); // the daemon goes on without
  }
}

async function applyConfig(prefix: string, output: Output): Promise<void> {
  try {
    const answer = await postAdmin(prefix, "/v1/config/apply", { dryRun: false, reset: false });
    printApplied(answer, output);
  } catch (error) {
    output.failure(error); // to be put right in the file
  }
}

function printApplied(answer: ChangeAnswer, output: Output): void {
  if (output.format === "json") {
    output.json({ applied: answer });
    return;
  }
  const { changes, needsRestart, notes, revision } = answer;
  const done = changes.map(({ kind, policy }) => `${kind} ${policy}`);
  const restart = needsRestart.map((key) => `${key} needs a restart`);
  const all = [...done, ...notes, ...restart];
  const text = all.length === 0 ? "nothing that runs is to change" : all.join("; ");
  output.line(`${output.paint("good", "applied")}  ${printable(text)}, revision ${revision}`);
}

/** A folder that the daemon has made: it goes, unless something in it is to stay. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds revisions, or is gone.
  }
}

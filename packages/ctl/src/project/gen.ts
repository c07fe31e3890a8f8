/** `koalactl gen`: TypeScript from .proto files, once or whenever they change. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { KoalaError } from "@koala/interface";
import type { Context } from "../context.ts";
import { type FileWatch, watchFolder } from "../file-watch.ts";
import type { Output } from "../output.ts";
import { formatMicros } from "../quantity.ts";
import { findGenerator, type Generator } from "./generator.ts";

/** What to generate. */
export interface GenOptions {
  readonly folder: string;
  /** Again after each change, until the user ends it. */
  readonly watch: boolean;
}

/**
 * Generates.
 *
 * @throws KoalaError `ERR_CTL_GENERATE` with what the tool says, unless it watches; and what `findGenerator`
 * throws
 */
export async function runGen({ folder, watch }: GenOptions, context: Context): Promise<void> {
  const root = resolve(folder);
  const { output, env } = context;
  const first = findGenerator(root, env);
  if (!watch) {
    await generate(first, root, context);
    return;
  }
  const signal = context.interrupted();
  const inputs = first.inputs.map((input) => resolve(root, input));
  const watches = inputs.map((input) =>
    watchFolder(input, { matches: (name) => name.endsWith(".proto"), below: true }),
  );
  try {
    await attempt(root, context);
    output.note(`watching ${inputs.join(", ")}; Ctrl-C ends it`);
    while (await anyChanged(watches, signal)) await attempt(root, context);
  } finally {
    for (const one of watches) one.close();
  }
}

/** True after a change in one of them; those that have not changed go on waiting with the next call. */
async function anyChanged(watches: readonly FileWatch[], signal: AbortSignal): Promise<boolean> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  try {
    return await Promise.race(watches.map((watch) => watch.changed(either)));
  } finally {
    over.abort();
  }
}

/** What is wrong with a file is to be put right while it is watched. */
async function attempt(folder: string, context: Context): Promise<void> {
  try {
    await generate(findGenerator(folder, context.env), folder, context);
  } catch (error) {
    context.output.failure(error);
  }
}

async function generate(
  generator: Generator,
  folder: string,
  { output, env }: Context,
): Promise<void> {
  const { tool, note } = generator;
  if (note !== undefined) output.note(note);
  const startedAt = performance.now();
  const said = await runTool(generator, folder, env);
  const tookMs = Math.round(performance.now() - startedAt);
  if (output.format === "json") output.json({ tool, folder, tookMs });
  else printDone(output, said, `generated with ${tool} in ${formatMicros(tookMs * 1000)}`);
}

function printDone(output: Output, said: string, text: string): void {
  for (const line of said.split("\n")) if (line !== "") output.note(line);
  output.line(text);
}

/** Runs the tool; resolves with its warnings. */
function runTool(
  { tool, command, args, path }: Generator,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const options = { cwd: folder, env: { ...env, PATH: path }, maxBuffer: 1 << 26 };
  return new Promise((done, reject) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim();
      if (error === null) {
        done(said);
        return;
      }
      const code = error.code ?? error.signal ?? error.message;
      const text = `${tool} failed in ${folder} (${code}):\n${said === "" ? error.message : said}`;
      reject(new KoalaError("ERR_CTL_GENERATE", text, { cause: error }));
    });
  });
}

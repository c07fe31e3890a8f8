/**
 * Fuzzers lie beside what they fuzz (ring.ts, ring.fuzz.ts) and are programs: run one by its name, with a
 * seed to repeat what a run before has printed.
 */
import { basename } from "node:path";
import process from "node:process";
import { run } from "./child.mjs";
import { filesUnder, root, workspaceFolders } from "./root.mjs";
import { setUp } from "./set-up.mjs";
import { compiledOf } from "./test-files.mjs";
import { ToolError } from "./tool-error.mjs";

const suffix = ".fuzz.ts";

/**
 * @param {string[]} args the fuzzer's name and a seed; without a name the fuzzers are listed
 * @returns {Promise<number>}
 */
export async function fuzz(args) {
  const [name, seed] = args;
  const fuzzers = findFuzzers(root);
  if (name === undefined) {
    const lines = [...fuzzers].map(([known, file]) => `  ${known}  ${file}\n`);
    process.stdout.write(lines.length === 0 ? "no fuzzers\n" : lines.join(""));
    return 0;
  }
  const file = fuzzers.get(name);
  if (file === undefined) {
    throw new ToolError(`no fuzzer "${name}". These are there: ${[...fuzzers.keys()].join(", ")}`);
  }
  if (seed !== undefined && !/^\d+$/.test(seed)) {
    throw new ToolError(`a seed is a whole number, found "${seed}"`);
  }
  await setUp();
  const env = seed === undefined ? {} : { FUZZ_SEED: seed };
  return run(process.execPath, ["--enable-source-maps", compiledOf(file), ...args.slice(1)], {
    env,
  });
}

/**
 * The source file of each fuzzer, by name.
 *
 * @param {string} base
 * @returns {Map<string, string>}
 */
export function findFuzzers(base) {
  const files = workspaceFolders(base).flatMap((folder) =>
    filesUnder(`${folder}/src`, (file) => file.endsWith(suffix), base),
  );
  return new Map(files.map((file) => [basename(file, suffix), file]));
}

import process from "node:process";
import { bench } from "./bench.mjs";
import { build } from "./build.mjs";
import { check } from "./check.mjs";
import { codegen } from "./codegen.mjs";
import { compareRuns, evaluate } from "./eval.mjs";
import { fix } from "./fix.mjs";
import { fuzz } from "./fuzz.mjs";
import { start } from "./start.mjs";
import { test } from "./test.mjs";
import { ToolError } from "./tool-error.mjs";

/**
 * Each verb takes its arguments and resolves to the exit code of the process.
 *
 * @type {Record<string, { run: (args: string[]) => Promise<number>, usage: string }>}
 */
const verbs = {
  start: {
    run: start,
    usage: "start                    the demo: two daemons, a service, calls, a table",
  },
  test: { run: test, usage: "test [PATH...]           everything, or the tests under some paths" },
  bench: { run: bench, usage: "bench CASE... [--json]   the benchmarks" },
  "bench:compare": {
    run: compareRuns,
    usage: "bench:compare A B        two runs of the experiments side by side",
  },
  eval: {
    run: evaluate,
    usage: "eval [NAME...]           the experiments of eval/, and their report",
  },
  build: { run: build, usage: "build                    install, compile, build the addon" },
  check: {
    run: check,
    usage: "check                    linter, tidy, documents, types of the tools",
  },
  fix: { run: fix, usage: "fix [PATH...]            what linter and formatter can repair" },
  fuzz: {
    run: fuzz,
    usage: "fuzz [NAME [SEED]]       one fuzzer; without a name, the list of them",
  },
  codegen: { run: codegen, usage: "codegen                  TypeScript from the .proto files" },
};

/**
 * @param {string[]} argv
 * @returns {Promise<number>}
 */
export async function main(argv) {
  const [name = "", ...args] = argv;
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb === undefined) {
    const usage = Object.values(verbs).map((known) => `  ${known.usage}\n`);
    process.stderr.write(`koala: no command "${name}". These are there:\n${usage.join("")}`);
    return 2;
  }
  try {
    return await verb.run(args);
  } catch (error) {
    // Anything else is a bug of these tools: let Node show where.
    if (!(error instanceof ToolError)) throw error;
    process.stderr.write(`koala: ${error.message}\n`);
    return 1;
  }
}

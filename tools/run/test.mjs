/**
 * Runs tests with Node's runner on the compiled output. The linter, tidy and the document check are
 * tests too (tools/checks.test.mjs), so that the closing lines count everything.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { run } from "./child.mjs";
import { root } from "./root.mjs";
import { setUp } from "./set-up.mjs";
import { compiledOf, findTests } from "./test-files.mjs";

/** A test file that takes longer hangs. */
const fileMsMax = 420_000;

const checks = "tools/checks.test.mjs";

/**
 * @param {string[]} args paths, and options for Node's runner (anything that begins with a dash)
 * @returns {Promise<number>}
 */
export async function test(args) {
  const paths = args.filter((arg) => !arg.startsWith("-"));
  const options = args.filter((arg) => arg.startsWith("-"));
  // npm runs scripts in the repository, whatever folder the person is in.
  const cwd = process.env["INIT_CWD"] ?? process.cwd();
  const tests = findTests(paths, { cwd });
  await setUp();
  // The checks come first: they are quick, and what they find is the easiest to repair.
  const files = new Set([checks, ...tests.map(compiledOf)]);
  const checked = paths.map((path) => relative(root, resolve(cwd, path)) || ".");
  return runTests([...files], options, { KOALA_CHECK_PATHS: JSON.stringify(checked) });
}

/**
 * @param {string[]} files
 * @param {string[]} options
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
async function runTests(files, options, env) {
  const folder = mkdtempSync(join(tmpdir(), "koala-test-"));
  const record = join(folder, "record.tap");
  try {
    const code = await run(
      process.execPath,
      [
        "--enable-source-maps",
        "--test",
        // Two files at a time whatever the machine: tests start daemons, and timings are then alike.
        "--test-concurrency=2",
        `--test-timeout=${fileMsMax}`,
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        "--test-reporter=tap",
        `--test-reporter-destination=${record}`,
        ...options,
        ...files,
      ],
      { env },
    );
    process.stdout.write(closingLines(record));
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The runner's count of tests in the form it has without a terminal ("# tests 12"), which programs
 * read. The form for persons, just above it, depends on the reporter.
 *
 * @param {string} record
 */
function closingLines(record) {
  try {
    const lines = readFileSync(record, "utf8").trimEnd().split("\n");
    const last = lines.findLastIndex((line) => !/^# \w+ [\d.]+$/.test(line));
    return `${lines.slice(last + 1).join("\n")}\n`;
  } catch {
    // The runner was stopped before it wrote anything: its exit code says so.
    return "";
  }
}

/**
 * Reads what `npm run -s bench -- CASE --json` prints, from stdin, as a program of somebody else would: one
 * JSON object a line, each with the fields that every result has. Fails when anything else is there.
 */
import process from "node:process";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const strings = ["case", "system"];
const numbers = [
  "samples",
  "p50Us",
  "p99Us",
  "callsPerSecond",
  "bytesPerSecond",
  "daemonCpuSeconds",
];

/**
 * What is wrong with a benchmark's output; undefined when it is in order.
 *
 * @param {string} output
 * @returns {string | undefined}
 */
export function findFault(output) {
  const lines = output.split("\n").filter((line) => line !== "");
  if (lines.length === 0) return "the benchmark printed nothing";
  for (const [index, line] of lines.entries()) {
    const fault = faultOfLine(line);
    if (fault !== undefined) return `line ${index + 1} of the benchmark's output ${fault}: ${line}`;
  }
  return undefined;
}

/** @param {string} line */
function faultOfLine(line) {
  const result = parse(line);
  if (typeof result !== "object" || result === null) return "is no JSON object";
  const entries = new Map(Object.entries(result));
  const missing =
    strings.find((name) => typeof entries.get(name) !== "string") ??
    // A figure that a case does not have is null, not left out.
    numbers.find((name) => entries.get(name) !== null && typeof entries.get(name) !== "number");
  return missing === undefined ? undefined : `has no proper "${missing}"`;
}

/** @param {string} line */
function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    // Not JSON: the caller says so, with the line.
    return undefined;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const output = await text(process.stdin);
  const fault = findFault(output);
  process.stderr.write(`${fault ?? `the benchmark's output can be read:\n${output.trimEnd()}`}\n`);
  process.exitCode = fault === undefined ? 0 : 1;
}

/** `npm run bench:compare A B`: two runs of the experiments side by side. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KoalaError, messageOf } from "@koala/interface";
import { compareResults, renderComparison } from "./comparison.ts";
import { findResults, readResults } from "./results-file.ts";

const usage = `npm run bench:compare A B [-- --all]

Compares two runs of \`npm run eval\`: names of runs (20261123-213000-1a2b3c4) or files of results.
Shows the figures that were taken in rounds; a star marks those where every round of the one run is above
every round of the other.

  --all    also the figures that were not taken in rounds
  --help   this text
`;

const folder = join(fileURLToPath(new URL("../../..", import.meta.url)), "eval", "results");

function main(args: readonly string[]): void {
  if (args.includes("--help")) {
    process.stdout.write(usage);
    return;
  }
  const names = args.filter((arg) => arg !== "--all");
  const [a, b] = names;
  const unknown = names.find((name) => name.startsWith("-"));
  if (unknown !== undefined || a === undefined || b === undefined || names.length > 2) {
    const found = unknown === undefined ? `found ${names.length} names` : `found "${unknown}"`;
    throw new KoalaError("ERR_EVAL_USAGE", `expected two runs, ${found}\n\n${usage}`);
  }
  const [first, second] = [a, b].map((name) => readResults(findResults(folder, name)));
  const differences = compareResults(first!.results, second!.results);
  for (const [letter, run] of [
    ["A", first],
    ["B", second],
  ] as const) {
    const { run: name, node, processor, quick } = run!.environment;
    const note = quick ? ", a quick run: its figures mean nothing" : "";
    process.stdout.write(`${letter}  ${name}, Node ${node}, ${processor}${note}\n`);
  }
  process.stdout.write(`\n${renderComparison(differences, args.includes("--all"))}`);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench:compare: ${messageOf(error)}\n`);
  process.exitCode = 2;
}

/** The file of one run: lines are written at once, so that a run that is cut short keeps what it has. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { KoalaError } from "@koala/interface";
import type { EnvironmentLine, ResultLine } from "./result-line.ts";

/** All that a run has come to. */
export interface RunResults {
  readonly environment: EnvironmentLine["environment"];
  readonly results: readonly ResultLine[];
}

/** Writes lines as they come. */
export class ResultsFile {
  readonly path: string;

  constructor(folder: string, environment: EnvironmentLine) {
    mkdirSync(folder, { recursive: true });
    this.path = join(folder, `${environment.environment.run}.jsonl`);
    this.write(environment);
  }

  write(line: EnvironmentLine | ResultLine): void {
    appendFileSync(this.path, `${JSON.stringify(line)}\n`);
  }
}

/** The file of a run: its path, or its name in the folder of results. */
export function findResults(folder: string, nameOrPath: string): string {
  const candidates = [nameOrPath, join(folder, nameOrPath), join(folder, `${nameOrPath}.jsonl`)];
  const found = candidates.find((path) => path.endsWith(".jsonl") && existsSync(path));
  if (found !== undefined) return found;
  throw new KoalaError(
    "ERR_EVAL_USAGE",
    `there are no results "${nameOrPath}": expected a file, or the name of a run in ${folder}`,
  );
}

/** Reads a file of results; a last line that was cut is left out. */
export function readResults(path: string): RunResults {
  const lines = readFileSync(path, "utf8").split("\n");
  // After the last newline nothing is complete.
  lines.pop();
  const [first = "", ...rest] = lines.filter((line) => line !== "");
  try {
    const { environment } = JSON.parse(first) as EnvironmentLine;
    if (environment === undefined) throw new Error("its first line is not of an environment");
    return { environment, results: rest.map((line) => JSON.parse(line) as ResultLine) };
  } catch (cause) {
    throw new KoalaError(
      "ERR_EVAL_FILE",
      `${basename(dirname(path))}/${basename(path)} is not a file of results`,
      { cause },
    );
  }
}

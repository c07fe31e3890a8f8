/** Files of results, line by line. */
import { readFileSync } from "node:fs";
import { KoalaError } from "@koala/interface";
import type { EnvironmentLine, ResultLine } from "../launcher/result-line.ts";

export type Environment = EnvironmentLine["environment"];

export interface Results {
  readonly environment: Environment;
  readonly lines: readonly ResultLine[];
  /** Whether the last line was not written to its end: the run was killed. */
  readonly isCut: boolean;
}

/** Reads a file that a run has written, or was writing when it ended. */
export function readResults(path: string): Results {
  const texts = readFileSync(path, "utf8").split("\n");
  // What follows on the last line feed is empty, or cut.
  const last = texts.pop() ?? "";
  const whole = last === "" ? undefined : parsed(last);
  const objects = texts
    .filter((text) => text !== "")
    .map((text, index) => {
      const object = parsed(text);
      if (object !== undefined) return object;
      throw new KoalaError(
        "ERR_EVAL_RESULTS",
        `${path}: line ${index + 1} is not a JSON object; results are one object a line: measure again, or remove the line`,
      );
    });
  if (whole !== undefined) objects.push(whole);
  const [first, ...lines] = objects;
  const environment =
    first === undefined ? undefined : (first as Partial<EnvironmentLine>).environment;
  if (environment === undefined) {
    throw new KoalaError(
      "ERR_EVAL_RESULTS",
      `${path}: the first line is not {"environment":…}; name a file that \`npm run eval\` has written`,
    );
  }
  return {
    environment,
    lines: lines as unknown as ResultLine[],
    isCut: last !== "" && whole === undefined,
  };
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Where in koala.toml something of a policy's configuration stands. */
import type { Place } from "./problem.ts";
import type { Document } from "./relation.ts";
import { findNode, type TextRange, type TomlNode } from "./toml-positions.ts";

/** Something wrong with a policy's table, as the policy or its type says. */
export interface PolicyProblem {
  /** From the `config` table on. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** In the text at `path`, in UTF-16 units. */
  readonly offset?: number | undefined;
  /** The key at `path` itself is meant, not its value. */
  readonly isKey?: boolean | undefined;
  /** The key `use` is meant, not the table. */
  readonly isUse?: boolean | undefined;
}

/**
 * The place of a problem in the policy at a position of the file. What is not in the file (a key that
 * lacks) is shown at the nearest table around it.
 */
export function placeInPolicy(document: Document, position: number, problem: PolicyProblem): Place {
  const { source, text } = document;
  const whole = ["policy", position];
  let path: readonly PropertyKey[] =
    problem.isUse === true ? [...whole, "use"] : [...whole, "config", ...problem.path];
  let node = findNode(document.root, path);
  const isThere = node !== undefined;
  while (node === undefined && path.length > 0) {
    path = path.slice(0, -1);
    node = findNode(document.root, path);
  }
  if (node === undefined) return { source, text, range: null };
  if (isThere && problem.offset !== undefined) {
    return { source, text, range: rangeAt(text, node, problem.offset) };
  }
  return { source, text, range: isThere && problem.isKey === true ? node.key : node.value };
}

/** The place of an offset in a string of the file, whose quotes and escapes the offset knows nothing of. */
function rangeAt(text: string, { value }: TomlNode, offset: number): TextRange {
  const written = text.slice(value.start, value.end);
  const quote = written[0];
  if (quote !== '"' && quote !== "'") return value;
  const isLong = written.startsWith(quote.repeat(3));
  let at = isLong ? 3 : 1;
  // A line end right behind the quotes is not a part of the value.
  if (isLong && written[at] === "\r" && written[at + 1] === "\n") at += 2;
  else if (isLong && written[at] === "\n") at++;
  const end = written.length - (isLong ? 3 : 1);
  for (let left = offset; left > 0 && at < end; ) {
    if (quote === '"' && written[at] === "\\") {
      const folded = isLong ? /^\\[ \t]*\r?\n[ \t\r\n]*/.exec(written.slice(at)) : null;
      if (folded !== null) {
        at += folded[0].length;
        continue;
      }
      const escaped = escapeAt(written, at);
      at += escaped.written;
      left -= escaped.units;
    } else {
      at++;
      left--;
    }
  }
  const start = value.start + Math.min(at, end);
  return { start, end: start + 1 };
}

/** How long an escape is as it is written, and in the value. */
function escapeAt(text: string, at: number): { written: number; units: number } {
  const kind = text[at + 1];
  if (kind === "x") return { written: 4, units: 1 };
  if (kind === "u") return { written: 6, units: 1 };
  if (kind !== "U") return { written: 2, units: 1 };
  return { written: 10, units: Number.parseInt(text.slice(at + 2, at + 10), 16) > 0xffff ? 2 : 1 };
}

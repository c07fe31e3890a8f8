/** Code blocks of a page, and changes among them that are shown as differences. */
import assert from "node:assert/strict";

/** A block of code. */
export interface Block {
  /** What the line before it begins with, between backticks, if that line ends with a colon; else empty. */
  readonly file: string;
  readonly language: string;
  readonly text: string;
}

/** All blocks of a page, in their order. */
export function blocksOf(page: string): Block[] {
  const found = page.matchAll(/^([^\n]*)\n\n```(\w+)\n([\s\S]*?)^```$/gm);
  return [...found].map(([, line, language, text]) => {
    const [, file = ""] = /^`([\w./-]+)`.*:$/.exec(line!) ?? [];
    return { file, language: language!, text: text! };
  });
}

/**
 * The text after a change. Lines with a blank or a minus in front have to be there, in this order; what is between
 * them in the text may be left out of the change.
 */
export function patched(text: string, diff: string, file: string): string {
  const lines = text.split("\n");
  const result: string[] = [];
  let at = 0;
  for (const change of diff.split("\n").slice(0, -1)) {
    const line = change.slice(1);
    if (change.startsWith("+")) {
      result.push(line);
      continue;
    }
    const found = lines.indexOf(line, at);
    assert.ok(found >= 0, `${file} has the line "${line}" that a change names`);
    result.push(...lines.slice(at, found));
    if (!change.startsWith("-")) result.push(line);
    at = found + 1;
  }
  return [...result, ...lines.slice(at)].join("\n");
}

/** What two revisions differ in, in the files that tables of policies name. */
import { type FileTexts, hashOfText } from "./config-files.ts";
import { diffLines } from "./revision-text.ts";

/** Lines around a change that are shown, too. */
const contextLines = 3;
/** Comparing takes the product of the lines of both texts, in steps and in memory. */
const comparedMax = 4_000_000;

/** The files that are not the same in both, each behind a line with its path. */
export function diffFiles(before: FileTexts, after: FileTexts): string[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return paths.flatMap((path) => {
    const [old, next] = [before[path]?.text, after[path]?.text];
    if (old === next) return [];
    return [
      ...(old === undefined ? [] : [`-# ${describe(path, old)}`]),
      ...(next === undefined ? [] : [`+# ${describe(path, next)}`]),
      ...changedLines(old ?? "", next ?? ""),
    ];
  });
}

function describe(path: string, text: string): string {
  return `${path}: ${countOf(text)} lines, sha256 ${hashOfText(text)}`;
}

/** None where the texts are too long to be compared line by line. */
function changedLines(before: string, after: string): string[] {
  if (countOf(before) * countOf(after) > comparedMax) return [];
  const lines = diffLines(before, after);
  const isNear = lines.map(() => false);
  for (const [index, line] of lines.entries()) {
    if (line.startsWith(" ")) continue;
    isNear.fill(true, Math.max(0, index - contextLines), index + contextLines + 1);
  }
  return lines.flatMap((line, index) => {
    if (isNear[index] === true) return [line];
    return index === 0 || isNear[index - 1] === true ? [" …"] : [];
  });
}

function countOf(text: string): number {
  return text === "" ? 0 : text.trimEnd().split("\n").length;
}

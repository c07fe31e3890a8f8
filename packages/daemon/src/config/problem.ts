/**
 * One thing that is wrong with the configuration, and how a person reads it: where, what, and the line
 * itself with a mark below.
 */
import type { TextRange } from "./toml-positions.ts";

/** Where a value was written. */
export interface Place {
  /** File name as the user gave it, `KOALA_LISTEN` or `--listen`. */
  readonly source: string;
  /** Text of the file; "" for a flag or a variable. */
  readonly text: string;
  /** The part of the text that is meant; null for a flag, a variable or a file as a whole. */
  readonly range: TextRange | null;
}

/** A second place that has to do with a problem, and what is there. */
export interface RelatedPlace {
  readonly place: Place;
  readonly message: string;
}

export interface Problem {
  readonly place: Place;
  /** One sentence or two: what was found, what was expected, what to write instead. */
  readonly message: string;
  readonly related: readonly RelatedPlace[];
}

/** Line and column of a place, both from 1; the column counts characters as a person does. */
export interface LinePosition {
  readonly line: number;
  readonly column: number;
}

/** A longer line is shown in part: enough for a wide terminal. */
const frameWidth = 100;

/** Line and column of an offset in a text. */
export function positionAt(text: string, offset: number): LinePosition {
  const before = text.slice(0, offset);
  const lineStart = lineStartAt(text, offset);
  const line = before.split("\n").length;
  // Code points, not UTF-16 units: an editor counts an emoji as one character.
  return { line, column: [...before.slice(lineStart)].length + 1 };
}

/** `koala.toml:12:3`, or the name alone where there is no position. */
export function formatPlace(place: Place): string {
  if (place.range === null) return place.source;
  const { line, column } = positionAt(place.text, place.range.start);
  return `${place.source}:${line}:${column}`;
}

/** Message and code frame, then those of the related places. */
export function formatProblem(problem: Problem): string {
  const lines = [`${formatPlace(problem.place)}: ${problem.message}`, ...frame(problem.place)];
  for (const { place, message } of problem.related) {
    lines.push(`  ${formatPlace(place)}: ${message}`, ...frame(place));
  }
  return lines.join("\n");
}

/** All problems, in the order of the text; those without a position come last. */
export function formatProblems(problems: readonly Problem[]): string {
  const offsetOf = (problem: Problem): number => problem.place.range?.start ?? Infinity;
  const sorted = [...problems].sort((a, b) => {
    const [left, right] = [offsetOf(a), offsetOf(b)];
    return left === right ? 0 : left - right;
  });
  return sorted.map(formatProblem).join("\n\n");
}

/** The line before, for orientation, the line itself, and carets below the range. */
function frame(place: Place): string[] {
  if (place.range === null) return [];
  const { text, range } = place;
  const { line } = positionAt(text, range.start);
  const lineStart = lineStartAt(text, range.start);
  const content = lineAt(text, lineStart);
  const gutter = Math.max(5, String(line).length + 2);
  const label = (number: number | string): string => `${String(number).padStart(gutter)} | `;

  const from = range.start - lineStart;
  const skipped = from > frameWidth - 20 ? from - 20 : 0;
  const shown = content.slice(skipped, skipped + frameWidth);
  const lead = shown.slice(0, from - skipped);
  const marked = shown.slice(from - skipped, Math.max(from, range.end - lineStart) - skipped);

  const lines: string[] = [];
  const previous = lineStart > 0 ? lineAt(text, lineStartAt(text, lineStart - 1)) : "";
  if (previous.trim() !== "") lines.push(label(line - 1) + visible(previous.slice(0, frameWidth)));
  lines.push(label(line) + visible(shown));
  // Tabs stay tabs in the lead, so that the carets stand below the text at any tab width.
  const indent = [...lead].map((character) => (character === "\t" ? "\t" : " ")).join("");
  lines.push(`${label("")}${indent}${"^".repeat(Math.max(1, [...marked].length))}`);
  return lines;
}

/** Where the line that holds an offset begins. */
function lineStartAt(text: string, offset: number): number {
  return text.slice(0, offset).lastIndexOf("\n") + 1;
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf("\n", start);
  return text.slice(start, end === -1 ? text.length : end).replace(/\r$/, "");
}

/** Control characters could drive the terminal; each is shown as one sign, so that columns hold. */
function visible(text: string): string {
  return text.replace(/[^\P{C}\t]/gu, "\uFFFD");
}

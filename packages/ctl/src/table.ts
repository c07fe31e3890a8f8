/** Tables for people: columns as wide as their widest cell, numbers to the right. */
import { styleText } from "node:util";

/** Colours that carry meaning; nothing but colour is lost without them. */
export type Tone = "plain" | "title" | "good" | "bad" | "faint";

const formats = { title: "bold", good: "green", bad: "red", faint: "dim" } as const;

/** Puts text in colour, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** The paint for a stream, whatever stream Node thinks of: colours on a terminal only, and none with `NO_COLOR`. */
export function paintFor(isTerminal: boolean, environment: NodeJS.ProcessEnv): Paint {
  if (!isTerminal || (environment["NO_COLOR"] ?? "") !== "") return (_, text) => text;
  return (tone, text) =>
    tone === "plain" ? text : styleText(formats[tone], text, { validateStream: false });
}

/** One column: its title, and what stands in it for a row. */
export interface Column<Row> {
  title: string;
  cell: (row: Row) => string | number;
  tone?: (row: Row) => Tone;
}

/** The lines of a table, with a line of titles. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  paint: Paint,
): string[] {
  const values = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const texts = values.map((cells) => cells.map((cell) => printable(String(cell))));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...texts.map((cells) => cells[index]!.length)),
  );
  // A column of numbers is one whose every cell is a number.
  const isRight = columns.map(
    (_, index) => values.length > 0 && values.every((cells) => typeof cells[index] === "number"),
  );
  const line = (cells: readonly string[], toneOf: (index: number) => Tone): string =>
    cells
      .map((text, index) => {
        const width = widths[index]!;
        const isLast = index === cells.length - 1;
        const padded = isRight[index] ? text.padStart(width) : isLast ? text : text.padEnd(width);
        return paint(toneOf(index), padded);
      })
      .join("  ")
      .trimEnd();
  const titles = columns.map(({ title }) => title);
  return [
    line(titles, () => "title"),
    ...texts.map((cells, row) =>
      line(cells, (index) => columns[index]!.tone?.(rows[row]!) ?? "plain"),
    ),
  ];
}

/**
 * Text as a terminal may have it: names and reasons come from apps and peers, and must not move the
 * cursor or change what was printed before.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "�");
}

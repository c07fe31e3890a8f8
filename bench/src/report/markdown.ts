/** Markdown: text that is shown as it is, and tables. */

/** Text in which nothing is markup, whatever it contains. */
export function plainText(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(/[\\`*_[\]|#~]/g, "\\$&");
}

/** A table; cells are Markdown already. The first `left` columns are words, the others numbers. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  left: number,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = headings.map((_, column) => (column < left ? "---" : "--:"));
  return [line(headings), line(rule), ...rows.map(line)].join("\n");
}

/** What is opened by those who want to see it. */
export function folded(summary: string, content: string): string {
  return `<details>\n<summary>${plainText(summary)}</summary>\n\n${content}\n\n</details>`;
}

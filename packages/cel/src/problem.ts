/** What is wrong with an expression, and where. */

export interface Problem {
  /** What is wrong and what was expected; without the place. */
  readonly message: string;
  /** UTF-16 units from the start of the text. */
  readonly offset: number;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

export function problemAt(text: string, offset: number, message: string): Problem {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  return { message, offset, line, column: offset - lineStart + 1 };
}

/** Ends the parsing of a text at its first mistake; never leaves this package. */
export class SyntaxMistake extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

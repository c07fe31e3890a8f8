/**
 * Regular expressions of `matches`, in the syntax of RE2 as far as it is supported here. They run in time
 * linear in the text, whatever the pattern: JavaScript's own can take exponential time.
 */
import { Machine } from "./pattern-machine.ts";
import { parsePattern } from "./pattern-parser.ts";
import { SyntaxMistake } from "./problem.ts";

export interface Matcher {
  /** Whether the pattern is found anywhere in the text. */
  test(text: string): boolean;
}

/** The matcher of a pattern, or what is wrong with the pattern. */
export function patternMatcher(pattern: string): Matcher | string {
  try {
    return new Machine(parsePattern(pattern));
  } catch (error) {
    if (!(error instanceof SyntaxMistake)) throw error;
    return `${error.message} (at character ${error.offset + 1} of the pattern)`;
  }
}

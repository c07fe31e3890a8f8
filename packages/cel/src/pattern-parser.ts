/** Parses a pattern to instructions of a machine that can be in many states at once. */
import { type Ranges, rangesOf, withBothCases, withoutRanges } from "./pattern-class.ts";
import { SyntaxMistake } from "./problem.ts";

/** `next` and `other` are indexes of instructions. */
export interface Instruction {
  readonly kind: "character" | "split" | "begin" | "end" | "match";
  readonly ranges: Ranges;
  next: number;
  other: number;
}

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly start: number;
}

const patternLengthMax = 1_024;
const instructionsMax = 512;
const repeatMax = 256;
const groupDepthMax = 32;

type Tree =
  | { kind: "empty" | "begin" | "end" }
  | { kind: "character"; ranges: Ranges }
  | { kind: "sequence" | "choice"; parts: Tree[] }
  | { kind: "repeat"; part: Tree; min: number; max: number };

export function parsePattern(pattern: string): Program {
  if (pattern.length > patternLengthMax) {
    throw new SyntaxMistake(patternLengthMax, `longer than ${patternLengthMax} characters`);
  }
  return new Builder().build(new PatternParser(pattern).parse());
}

class PatternParser {
  private readonly pattern: string;
  private at = 0;
  private depth = 0;
  private ignoresCase = false;

  constructor(pattern: string) {
    this.pattern = pattern;
  }

  parse(): Tree {
    if (this.pattern.startsWith("(?i)")) {
      this.ignoresCase = true;
      this.at = 4;
    }
    const tree = this.choice();
    if (this.at < this.pattern.length) throw new SyntaxMistake(this.at, "unexpected )");
    return tree;
  }

  private choice(): Tree {
    const parts = [this.sequence()];
    while (this.accept("|")) parts.push(this.sequence());
    return parts.length === 1 ? parts[0]! : { kind: "choice", parts };
  }

  private sequence(): Tree {
    const parts: Tree[] = [];
    while (this.at < this.pattern.length && !"|)".includes(this.pattern[this.at]!)) {
      parts.push(this.repeated());
    }
    return { kind: "sequence", parts };
  }

  private repeated(): Tree {
    const part = this.single();
    const offset = this.at;
    const bounds = this.bounds();
    if (bounds === undefined) return part;
    // Lazy or not makes no difference to whether something matches.
    this.accept("?");
    if (this.at < this.pattern.length && "*+?".includes(this.pattern[this.at]!)) {
      throw new SyntaxMistake(this.at, "a repetition of a repetition needs brackets");
    }
    if (part.kind === "begin" || part.kind === "end") {
      throw new SyntaxMistake(offset, "^ and $ can't be repeated");
    }
    return { kind: "repeat", part, ...bounds };
  }

  private bounds(): { min: number; max: number } | undefined {
    if (this.accept("*")) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.accept("+")) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.accept("?")) return { min: 0, max: 1 };
    const match = /^\{(\d{1,4})(?:(,)(\d{0,4}))?\}/.exec(this.pattern.slice(this.at, this.at + 12));
    if (match === null) return undefined;
    const min = Number(match[1]);
    const open = match[2] !== undefined && match[3] === "";
    const max = match[2] === undefined ? min : open ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (min > repeatMax || (max !== Number.POSITIVE_INFINITY && max > repeatMax) || max < min) {
      const message = `a repetition is of ${repeatMax} at most, the smaller number first`;
      throw new SyntaxMistake(this.at, message);
    }
    this.at += match[0].length;
    return { min, max };
  }

  private single(): Tree {
    const offset = this.at;
    const char = this.take();
    switch (char) {
      case "^":
        return { kind: "begin" };
      case "$":
        return { kind: "end" };
      case ".":
        return this.character(withoutRanges(rangesOf("\n")));
      case "(":
        return this.group(offset);
      case "[":
        return this.character(this.set(offset));
      case "\\":
        return this.escaped(offset);
      case "*":
      case "+":
      case "?":
        throw new SyntaxMistake(offset, `nothing stands before ${char}`);
      default:
        return this.character(rangesOf(char));
    }
  }

  private character(ranges: Ranges): Tree {
    return { kind: "character", ranges: this.ignoresCase ? withBothCases(ranges) : ranges };
  }

  private group(offset: number): Tree {
    if (++this.depth > groupDepthMax) {
      throw new SyntaxMistake(offset, `nested deeper than ${groupDepthMax}`);
    }
    const name = /^\?(?::|P?<[A-Za-z_]\w*>)/.exec(this.pattern.slice(this.at, this.at + 40));
    if (name !== null) this.at += name[0].length;
    else if (this.pattern[this.at] === "?") {
      const message =
        "only (?:…) is supported, and (?i) at the start: neither flags nor look-around";
      throw new SyntaxMistake(offset, message);
    }
    const inner = this.choice();
    if (!this.accept(")")) throw new SyntaxMistake(offset, "the bracket is not closed");
    this.depth--;
    return inner;
  }

  private escaped(offset: number): Tree {
    const char = this.pattern[this.at];
    if (char === "A" || char === "z") {
      this.at++;
      return { kind: char === "A" ? "begin" : "end" };
    }
    return this.character(this.escape(offset));
  }

  /** Behind a backslash. */
  private escape(offset: number): Ranges {
    const char = this.take();
    if (char === "") throw new SyntaxMistake(offset, "nothing stands behind the backslash");
    const known = rangesOf(`\\${char}`);
    if (known.length > 0) return known;
    if (char === "x") {
      const match = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})/.exec(
        this.pattern.slice(this.at, this.at + 8),
      );
      if (match === null) throw new SyntaxMistake(offset, "\\x is followed by two digits");
      this.at += match[0].length;
      const code = Number.parseInt(match[1] ?? match[2]!, 16);
      return [[code, code]];
    }
    if (/\w/.test(char)) {
      throw new SyntaxMistake(offset, `\\${char} is not supported`);
    }
    return rangesOf(char);
  }

  /** Behind `[`. */
  private set(offset: number): Ranges {
    const isNegated = this.accept("^");
    const ranges: [number, number][] = [];
    let isFirst = true;
    for (;;) {
      if (this.at >= this.pattern.length) throw new SyntaxMistake(offset, "[ is not closed by ]");
      if (!isFirst && this.accept("]")) break;
      isFirst = false;
      const low = this.setMember();
      if (this.pattern[this.at] === "-" && this.pattern[this.at + 1] !== "]") {
        const at = this.at++;
        const high = this.setMember();
        const isRange = isOne(low) && isOne(high) && low[0]![0] <= high[0]![0];
        if (!isRange)
          throw new SyntaxMistake(at, "a range goes from one character to a larger one");
        ranges.push([low[0]![0], high[0]![1]]);
      } else {
        ranges.push(...(low as [number, number][]));
      }
    }
    const all = this.ignoresCase ? withBothCases(ranges) : ranges;
    return isNegated ? withoutRanges(all) : all;
  }

  private setMember(): Ranges {
    const offset = this.at;
    if (this.pattern.startsWith("[:", offset)) {
      throw new SyntaxMistake(offset, "classes like [:alpha:] are not supported");
    }
    const char = this.take();
    return char === "\\" ? this.escape(offset) : rangesOf(char);
  }

  private accept(char: string): boolean {
    if (this.pattern[this.at] !== char) return false;
    this.at++;
    return true;
  }

  /** The next character; "" at the end. */
  private take(): string {
    const code = this.pattern.codePointAt(this.at);
    if (code === undefined) return "";
    const char = String.fromCodePoint(code);
    this.at += char.length;
    return char;
  }
}

function isOne(ranges: Ranges): boolean {
  return ranges.length === 1 && ranges[0]![0] === ranges[0]![1];
}

/** Makes instructions from back to front: each tree is built in front of what follows it. */
class Builder {
  private readonly instructions: Instruction[] = [];

  build(tree: Tree): Program {
    const match = this.add("match", [], -1, -1);
    return { start: this.before(tree, match), instructions: this.instructions };
  }

  private add(kind: Instruction["kind"], ranges: Ranges, next: number, other: number): number {
    if (this.instructions.length >= instructionsMax) {
      throw new SyntaxMistake(0, "too large; repetitions with numbers count as often as they say");
    }
    return this.instructions.push({ kind, ranges, next, other }) - 1;
  }

  private before(tree: Tree, next: number): number {
    switch (tree.kind) {
      case "empty":
        return next;
      case "begin":
      case "end":
        return this.add(tree.kind, [], next, -1);
      case "character":
        return this.add("character", tree.ranges, next, -1);
      case "sequence":
        return tree.parts.reduceRight((after, part) => this.before(part, after), next);
      case "choice":
        return tree.parts
          .map((part) => this.before(part, next))
          .reduceRight((other, first) => this.add("split", [], first, other));
      case "repeat":
        return this.repeat(tree, next);
    }
  }

  private repeat({ part, min, max }: Extract<Tree, { kind: "repeat" }>, next: number): number {
    let after = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.add("split", [], -1, next);
      this.instructions[loop]!.next = this.before(part, loop);
      after = loop;
    } else {
      for (let n = min; n < max; n++) after = this.add("split", [], this.before(part, after), next);
    }
    for (let n = 0; n < min; n++) after = this.before(part, after);
    return after;
  }
}

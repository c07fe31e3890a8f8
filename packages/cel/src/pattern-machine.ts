/**
 * Runs a pattern over a text, one character after the other, in all states that it can be in at once. Sets
 * of states that have been seen are kept with what follows them, so most steps are one look into a table.
 */
import type { Matcher } from "./pattern.ts";
import { includes } from "./pattern-class.ts";
import type { Program } from "./pattern-parser.ts";

/** Sets that are kept; beyond that, all are forgotten, so that memory is bounded and time is, too. */
const nodesMax = 512;

/** A set of states, and what follows it for each class of characters. */
interface Node {
  readonly states: readonly number[];
  /** The pattern has been found, whatever follows. */
  readonly isMatch: boolean;
  /** It has been found if the text ends here. */
  readonly isMatchAtEnd: boolean;
  readonly next: (Node | undefined)[];
}

export class Machine implements Matcher {
  private readonly program: Program;
  /** Where classes of characters begin; characters of a class are alike to the pattern. */
  private readonly borders: readonly number[];
  private readonly ascii = new Uint16Array(128);
  private readonly nodes = new Map<string, Node>();
  private first: Node | undefined;

  constructor(program: Program) {
    this.program = program;
    const borders = new Set([0]);
    for (const { ranges } of program.instructions) {
      for (const [low, high] of ranges) borders.add(low).add(high + 1);
    }
    this.borders = [...borders].sort((a, b) => a - b);
    for (let code = 0; code < 128; code++) this.ascii[code] = this.search(code);
  }

  test(text: string): boolean {
    let node = this.first ?? this.begin();
    for (let i = 0; i < text.length && !node.isMatch; i++) {
      let code = text.charCodeAt(i);
      if (code >= 0xd800 && code <= 0xdbff) {
        code = text.codePointAt(i)!;
        if (code > 0xffff) i++;
      }
      const kind = code < 128 ? this.ascii[code]! : this.search(code);
      node = node.next[kind] ??= this.follow(node, kind);
    }
    return node.isMatch || node.isMatchAtEnd;
  }

  private begin(): Node {
    this.first = this.node([this.program.start], true);
    return this.first;
  }

  /** The class of a character. */
  private search(code: number): number {
    let low = 0;
    let high = this.borders.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.borders[middle]! <= code) low = middle;
      else high = middle;
    }
    return low;
  }

  private follow(node: Node, kind: number): Node {
    const code = this.borders[kind]!;
    // The pattern may also begin behind this character.
    const states = [this.program.start];
    for (const state of node.states) {
      const instruction = this.program.instructions[state]!;
      if (instruction.kind !== "character" || !includes(instruction.ranges, code)) continue;
      states.push(instruction.next);
    }
    return this.node(states, false);
  }

  private node(states: readonly number[], isBegin: boolean): Node {
    const closed = this.close(states, isBegin, false);
    const key = closed.join();
    let node = this.nodes.get(key);
    if (node !== undefined && !isBegin) return node;
    const { instructions } = this.program;
    const ends = this.close(closed, isBegin, true);
    node = {
      states: closed,
      isMatch: closed.some((state) => instructions[state]!.kind === "match"),
      isMatchAtEnd: ends.some((state) => instructions[state]!.kind === "match"),
      next: [],
    };
    if (isBegin) return node;
    if (this.nodes.size >= nodesMax) this.forget();
    this.nodes.set(key, node);
    return node;
  }

  private forget(): void {
    for (const node of this.nodes.values()) node.next.length = 0;
    this.nodes.clear();
    this.first = undefined;
  }

  /** What can be reached from the states without a character, in order. */
  private close(states: readonly number[], isBegin: boolean, isEnd: boolean): number[] {
    const { instructions } = this.program;
    const reached = new Set<number>();
    const waiting = [...states];
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      if (reached.has(state)) continue;
      reached.add(state);
      const { kind, next, other } = instructions[state]!;
      if (kind === "split") waiting.push(next, other);
      else if (kind === "begin" ? isBegin : kind === "end" && isEnd) waiting.push(next);
    }
    return [...reached].sort((a, b) => a - b);
  }
}

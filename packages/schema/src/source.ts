/**
 * Text of generated code. Names from a descriptor are untrusted: they enter a source text only through
 * `quote`, as string literals.
 */
import { closureOf, type MessageLayout } from "./layout.ts";

/** Lines of generated code, indented for the person who debugs it. */
export class Source {
  readonly #lines: string[] = [];
  #depth = 0;

  /** Adds a line. A line that starts with `}` closes a block, one that ends with `{` opens one. */
  line(text: string): void {
    if (text.startsWith("}")) this.#depth--;
    this.#lines.push("  ".repeat(this.#depth) + text);
    if (text.endsWith("{")) this.#depth++;
  }

  toString(): string {
    return this.#lines.join("\n");
  }
}

/** A string literal. JSON escapes quotes, backslashes and line ends, and lone surrogates. */
export function quote(text: string): string {
  return JSON.stringify(text);
}

/** `target["name"]`: property access that no name can break out of. */
export function member(target: string, name: string): string {
  return `${target}[${quote(name)}]`;
}

/** The message types of one codec and the numbers by which generated functions are named. */
export interface Closure {
  readonly layouts: readonly MessageLayout[];
  indexOf(layout: MessageLayout): number;
  /** Types that can contain themselves: their functions count how deep they are. */
  isRecursive(layout: MessageLayout): boolean;
}

/** Numbers the types reachable from `root`, which is number 0. */
export function numbered(root: MessageLayout): Closure {
  const layouts = closureOf(root);
  const indexes = new Map(layouts.map((layout, index) => [layout, index]));
  // Deep chains of distinct types count, too: a peer may register more types than the depth limit.
  const isDeep = layouts.length > 64;
  const recursive = new Set(layouts.filter((layout) => isDeep || reachesItself(layout)));
  return {
    layouts,
    indexOf: (layout) => indexes.get(layout)!,
    isRecursive: (layout) => recursive.has(layout),
  };
}

function reachesItself(layout: MessageLayout): boolean {
  return layout.fields.some(
    ({ value }) => value.message !== null && closureOf(value.message).includes(layout),
  );
}

/** Runs a source text as a function body with `parameters` in scope and returns what it returns. */
export function compile<T>(text: string, parameters: Record<string, unknown>): T {
  const names = Object.keys(parameters).join();
  const make = new Function(names, `"use strict";\n${text}`) as (...values: unknown[]) => T;
  return make(...Object.values(parameters));
}

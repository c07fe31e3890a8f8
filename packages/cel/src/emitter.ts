/**
 * Where generated code comes together. Values are JavaScript expressions; what can't be one (loops, what may
 * fail) becomes statements in front of it. A failure leaves the block that is labelled for it.
 */
import type { Environment } from "./environment.ts";
import type { Expression } from "./expression.ts";
import { Failure } from "./failure.ts";
import { problemsMax, stepsMax } from "./limits.ts";
import { type Problem, problemAt } from "./problem.ts";
import type { Type } from "./type.ts";
import { errorValue, isError, quote, type Value } from "./value.ts";

/** A block that is left when something in it fails. */
export interface Catch {
  readonly label: string;
  /** The variable that gets the number of the failure, which is not 0. */
  readonly variable: string;
  isUsed: boolean;
}

export type Visit = (emitter: Emitter, expression: Expression) => Value;

export class Emitter {
  readonly environment: Environment;
  readonly problems: Problem[] = [];
  /** Paths from variables to what is read. */
  readonly reads: Set<string> = new Set();
  readonly variables: Set<string> = new Set();
  readonly constants: unknown[] = [];
  /** Number 0 is no failure. */
  readonly failures: (Failure | null)[] = [null];
  /** Variables of macros, the innermost last. */
  readonly scope: { name: string; value: Value }[] = [];
  private readonly visit: Visit;
  private text = "";
  private lines: string[] = [];
  private readonly slots: string[] = [];
  private readonly cached = new Map<string, string>();
  private names = 0;
  private target: Catch = { label: "", variable: "", isUsed: false };
  private counts = false;

  constructor(environment: Environment, visit: Visit) {
    this.environment = environment;
    this.visit = visit;
  }

  /** What follows is about another text. */
  begin(text: string): void {
    this.text = text;
  }

  emit(expression: Expression): Value {
    return this.visit(this, expression);
  }

  /** Reports a problem; the value stands for what could not be understood. */
  problem(offset: number, message: string): Value {
    if (this.problems.length < problemsMax) {
      this.problems.push(problemAt(this.text, offset, message));
    }
    return errorValue;
  }

  line(text: string): void {
    this.lines.push(text);
  }

  /** A name that is used nowhere else. */
  name(letter: string): string {
    return `${letter}${this.names++}`;
  }

  /** A variable of the whole function, to be assigned within an expression. */
  slot(): string {
    const name = this.name("s");
    this.slots.push(name);
    return name;
  }

  /** The name under which generated code finds an object. */
  constant(value: unknown): string {
    let index = this.constants.indexOf(value);
    if (index < 0) index = this.constants.push(value) - 1;
    return `k${index}`;
  }

  /** The value under a name, so that it can be written more than once. */
  simple(value: Value): Value {
    if (value.isSimple || isError(value)) return value;
    const name = this.name("t");
    this.line(`const ${name} = ${value.code};`);
    return { ...value, code: name, isSimple: true };
  }

  /** Runs `emit` and keeps the statements apart. */
  capture<T>(emit: () => T): { result: T; lines: string[] } {
    const outer = this.lines;
    this.lines = [];
    const result = emit();
    const { lines } = this;
    this.lines = outer;
    return { result, lines };
  }

  append(lines: readonly string[]): void {
    for (const line of lines) this.lines.push(line);
  }

  /** Runs `emit` with failures going to a block of its own, of which the caller writes the label. */
  catching<T>(variable: string, emit: () => T): { result: T; lines: string[]; caught: Catch } {
    const caught: Catch = { label: this.name("f"), variable, isUsed: false };
    const outer = this.target;
    this.target = caught;
    const { result, lines } = this.capture(emit);
    this.target = outer;
    return { result, lines, caught };
  }

  /** A statement that ends the evaluation with a failure, or lets whoever absorbs it go on. */
  failing(offset: number, reason: string): string {
    return this.leaving(String(this.failures.push(new Failure(reason, offset)) - 1));
  }

  /** The same for a failure whose number is in a variable. */
  leaving(number: string): string {
    const { target } = this;
    target.isUsed = true;
    return `{ ${target.variable} = ${number}; break ${target.label}; }`;
  }

  /** Counts what a loop is about to look at. */
  step(offset: number, count: string): void {
    this.counts = true;
    const reason = `more than ${stepsMax} elements were looked at`;
    this.line(`if ((steps += ${count}) > ${stepsMax}) ${this.failing(offset, reason)}`);
  }

  variable(name: string, type: Type): Value {
    this.variables.add(name);
    return this.cachedValue(name, type, `vars[${quote(name)}]`);
  }

  /** A value that is read once and then kept, because it can be asked for again. */
  cachedValue(path: string, type: Type, code: string): Value {
    if (type.kind !== "message" && type.kind !== "record") this.reads.add(path);
    let slot = this.cached.get(path);
    if (slot === undefined) {
      slot = this.slot();
      this.cached.set(path, slot);
    }
    return { type, code: `(${slot} ??= ${code})`, isSimple: false, path };
  }

  /** The text of a function of `vars` with this body. */
  functionText(body: readonly string[]): string {
    const names = this.constants.map((_, index) => `k${index}`);
    const head = names.length === 0 ? [] : [`const [${names.join()}] = constants;`];
    const slots = this.slots.length === 0 ? [] : [`let ${this.slots.join()};`];
    const steps = this.counts ? ["let steps = 0;"] : [];
    const text = ["return function (vars) {", ...slots, ...steps, ...body, "};"];
    return ['"use strict";', ...head, ...text].join("\n");
  }
}

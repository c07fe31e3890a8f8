/**
 * Random expressions that are well typed, against another implementation of CEL. A round
 *
 * 1. makes an expression of a random type from fields of the animal of the tests, literals, operators,
 *    macros and conversions, with divisions by zero, missing keys and overflows among them;
 * 2. compiles it, which must succeed, and evaluates it: the value, or that there is none, must be what
 *    the other implementation says;
 * 3. damages the text at a random place, and compiles it again: whatever comes out, nothing is thrown.
 */
import assert from "node:assert/strict";
import { fuzzMain, type Prng } from "@koala/testing";
import { environment, evaluated, oracle, variables } from "./animal-helper.test.ts";
import { compileExpression } from "./compile.ts";
import { isProblems } from "./index.ts";

type Kind = "bool" | "int" | "uint" | "double" | "string" | "ints" | "strings";

const kinds: readonly Kind[] = ["bool", "int", "uint", "double", "string", "ints", "strings"];
const scalars: readonly Kind[] = ["bool", "int", "uint", "double", "string"];

const leaves: Record<Kind, readonly string[]> = {
  bool: [
    "true",
    "false",
    "a.tame",
    "has(a.cage)",
    "has(a.mother)",
    "has(a.pen)",
    "(a.maybe_flag == null)",
  ],
  int: [
    "0",
    "1",
    "-3",
    "7",
    "9223372036854775807",
    "9007199254740993",
    "a.age",
    "a.tag",
    "a.cage",
    "a.pen",
    "a.diet",
    "a.chip_number",
    "a.mother.age",
    "(a.maybe_number + 0)",
    "(a.maybe_small + 0)",
    "a.scores[1]",
    "a.visits[2]",
    "a.visits[3]",
    "caller.uid",
  ],
  uint: ["0u", "5u", "18446744073709551615u", "a.legs", "a.steps"],
  double: ["0.0", "1.5", "-2.25e10", "a.weight", "a.weights[1]", "a.height"],
  string: [
    "''",
    "'hay'",
    "'ë🦒'",
    "a.name",
    "a.mother.name",
    "a.nickname",
    "a.city",
    "a.labels.color",
    "a.labels['none']",
    "metadata['x-team']",
    "caller.app",
    "(a.maybe_text + '')",
  ],
  ints: ["a.scores", "a.tags", "a.chips", "[1, 2, 3]", "[a.age, a.tag]"],
  strings: ["a.foods", "['hay', 'x']", "[a.name]", "a.mother.foods"],
};

class Generator {
  private readonly prng: Prng;
  private readonly scope: { name: string; kind: Kind }[] = [];

  constructor(prng: Prng) {
    this.prng = prng;
  }

  make(kind: Kind, depth: number): string {
    const known = this.scope.filter((variable) => variable.kind === kind);
    if (known.length > 0 && this.prng.chance(0.4)) return this.prng.pick(known).name;
    if (depth <= 0 || this.prng.chance(0.15)) return this.prng.pick(leaves[kind]);
    if (this.prng.chance(0.1)) {
      const [test, yes, no] = [
        this.make("bool", depth - 1),
        this.make(kind, depth - 1),
        this.make(kind, depth - 1),
      ];
      return `(${test} ? ${yes} : ${no})`;
    }
    return this[kind](depth - 1);
  }

  private bool(depth: number): string {
    const { prng } = this;
    const make = (kind: Kind): string => this.make(kind, depth);
    switch (prng.below(10)) {
      case 0:
      case 1:
      case 2:
        return `(${make("bool")} ${prng.pick(["&&", "||"])} ${make("bool")} ${prng.pick(["&&", "||"])} ${make("bool")})`;
      case 3:
        return `!(${make("bool")})`;
      case 4: {
        const kind = prng.pick(scalars);
        return `(${make(kind)} ${prng.pick(["==", "!=", "<", "<=", ">", ">="])} ${make(kind)})`;
      }
      case 5: {
        const [left, right] = [
          prng.pick(["int", "uint", "double"] as const),
          prng.pick(["int", "uint", "double"] as const),
        ];
        return `(${make(left)} ${prng.pick(["<", "<=", ">", ">="])} ${make(right)})`;
      }
      case 6:
        return prng.chance(0.5)
          ? `(${make("int")} in ${make("ints")})`
          : `(${make("string")} in ${make("strings")})`;
      case 7:
        return `${make("string")}.${prng.pick(["startsWith", "endsWith", "contains"])}(${make("string")})`;
      case 8:
        return `${make("string")}.matches(${prng.pick(["'^h.*y$'", "'[a-f]+'", "'(a|b)*c?$'"])})`;
      default:
        return this.macro(prng.pick(["exists", "all", "exists_one"]), depth, "bool");
    }
  }

  private int(depth: number): string {
    const { prng } = this;
    switch (prng.below(4)) {
      case 0:
        return `size(${this.make(prng.pick(["string", "ints", "strings"]), depth)})`;
      case 1:
        return `-(${this.make("int", depth)})`;
      case 2:
        return `int(${this.make(prng.pick(["uint", "double", "int"]), depth)})`;
      default:
        return this.arithmetic("int", ["+", "-", "*", "/", "%"], depth);
    }
  }

  private uint(depth: number): string {
    if (this.prng.chance(0.3))
      return `uint(${this.make(this.prng.pick(["int", "double"]), depth)})`;
    return this.arithmetic("uint", ["+", "-", "*", "/", "%"], depth);
  }

  private double(depth: number): string {
    if (this.prng.chance(0.3))
      return `double(${this.make(this.prng.pick(["int", "uint"]), depth)})`;
    return this.arithmetic("double", ["+", "-", "*", "/"], depth);
  }

  private string(depth: number): string {
    if (this.prng.chance(0.3))
      return `string(${this.make(this.prng.pick(["int", "uint", "bool"]), depth)})`;
    if (this.prng.chance(0.3)) return `${this.make("strings", depth)}[${this.make("int", depth)}]`;
    return this.arithmetic("string", ["+"], depth);
  }

  private ints(depth: number): string {
    if (this.prng.chance(0.4)) return `[${this.make("int", depth)}, ${this.make("int", depth)}]`;
    return this.macro(this.prng.pick(["filter", "map"]), depth, "int");
  }

  private strings(depth: number): string {
    if (this.prng.chance(0.4))
      return `[${this.make("string", depth)}, ${this.make("string", depth)}]`;
    return this.macro(this.prng.pick(["filter", "map"]), depth, "string");
  }

  private arithmetic(kind: Kind, operators: readonly string[], depth: number): string {
    return `(${this.make(kind, depth)} ${this.prng.pick(operators)} ${this.make(kind, depth)})`;
  }

  private macro(name: string, depth: number, result: Kind): string {
    const isFilter = name === "filter";
    const from = isFilter ? result : this.prng.pick(["int", "string"] as const);
    const list = this.make(from === "int" ? "ints" : "strings", depth);
    const variable = this.prng.pick(["x", "y", "a1"]);
    this.scope.push({ name: variable, kind: from });
    // An inner variable hides an outer one of the same name, whatever its type.
    const hidden = this.scope.filter((entry) => entry.name === variable && entry.kind !== from);
    for (const entry of hidden) this.scope.splice(this.scope.indexOf(entry), 1);
    const body = this.make(isFilter ? "bool" : result, depth);
    this.scope.pop();
    this.scope.push(...hidden);
    return `${list}.${name}(${variable}, ${body})`;
  }
}

export function round(prng: Prng): void {
  const kind = prng.pick(kinds);
  const made = new Generator(prng).make(kind, prng.between(1, 5));
  // Of lists, the size is compared, and a failure within.
  const text = kind === "ints" || kind === "strings" ? `size(${made})` : made;
  if (text.length < 8_000) assert.deepEqual(evaluated(text), oracle(text), text);
  damage(prng, text);
}

function damage(prng: Prng, text: string): void {
  const at = prng.below(text.length + 1);
  const inserted = prng.pick([
    "",
    "(",
    ")",
    "'",
    "]",
    ".",
    "\\",
    "has(",
    "🦒",
    " ",
    "a.",
    "-",
    "1",
    "?",
  ]);
  const damaged = text.slice(0, at) + inserted + text.slice(at + prng.below(3));
  const result = compileExpression(damaged, environment);
  if (!isProblems(result)) result.evaluate(variables);
}

await fuzzMain(import.meta.url, "expression", round);

/** Reads tables of TOML key by key: each has the expected type, and none is left over. */
import { KoalaError } from "@koala/interface";
import { parse, TomlError } from "smol-toml";
import { suggest } from "../suggestion.ts";

/** A value of TOML without tables and lists. */
export type Scalar = string | number | boolean;

export interface NumberLimits {
  readonly min?: number;
  readonly max?: number;
  readonly whole?: boolean;
  readonly otherwise?: number;
}

type Table = Readonly<Record<string, unknown>>;

/** The table of one place in a file. */
export class Fields {
  private readonly file: string;
  /** Of the table, with a dot at its end; empty at the top. */
  private readonly path: string;
  private readonly table: Table;
  private readonly asked = new Set<string>();
  private readonly code: string;

  constructor(code: string, file: string, path: string, table: Table) {
    this.code = code;
    this.file = file;
    this.path = path;
    this.table = table;
  }

  has(key: string): boolean {
    this.asked.add(key);
    return this.table[key] !== undefined;
  }

  text(key: string, otherwise?: string): string {
    const value = this.value(key, otherwise);
    if (typeof value === "string") return value;
    throw this.wrong(key, "a string");
  }

  /** One of some words. */
  word<T extends string>(key: string, words: readonly T[], otherwise?: T): T {
    const value = this.text(key, otherwise);
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw this.wrong(key, `one of ${words.join(", ")}`, suggest(value, words));
  }

  number(key: string, limits: NumberLimits = {}): number {
    const { min = 0, max = Number.MAX_SAFE_INTEGER, whole = false, otherwise } = limits;
    const value = this.value(key, otherwise);
    const fits = typeof value === "number" && value >= min && value <= max;
    if (fits && (!whole || Number.isInteger(value))) return value;
    const upTo = max === Number.MAX_SAFE_INTEGER ? "" : ` to ${max}`;
    throw this.wrong(key, `a ${whole ? "whole " : ""}number from ${min}${upTo}`);
  }

  /** A key that may be missing. */
  optionalNumber(key: string): number | undefined {
    return this.has(key) ? this.number(key) : undefined;
  }

  flag(key: string, otherwise?: boolean): boolean {
    const value = this.value(key, otherwise);
    if (typeof value === "boolean") return value;
    throw this.wrong(key, "true or false");
  }

  texts(key: string, otherwise?: readonly string[]): readonly string[] {
    const value = this.value(key, otherwise);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    throw this.wrong(key, "a list of strings");
  }

  /** A table of strings; empty when it is missing. */
  textTable(key: string): Readonly<Record<string, string>> {
    const fields = this.below(key);
    return Object.fromEntries(fields.keys().map((name) => [name, fields.text(name)]));
  }

  /** A table of strings and numbers, with its keys as they are in the code; empty when it is missing. */
  parameters(key: string): Readonly<Record<string, string | number>> {
    const fields = this.below(key);
    const entries = fields.keys().map((name) => {
      const value = fields.value(name);
      if (typeof value === "string" || typeof value === "number") return [camel(name), value];
      throw fields.wrong(name, "a string or a number");
    });
    return Object.fromEntries(entries) as Record<string, string | number>;
  }

  /** The same with lists; a single value is a list of one. */
  parameterLists(key: string): Readonly<Record<string, readonly (string | number)[]>> {
    const fields = this.below(key);
    const entries = fields.keys().map((name) => {
      const value = fields.value(name);
      const list: unknown[] = Array.isArray(value) ? value : [value];
      const fits = list.every((item) => typeof item === "string" || typeof item === "number");
      if (fits && list.length > 0) return [camel(name), list];
      throw fields.wrong(name, "a list of numbers or of strings");
    });
    return Object.fromEntries(entries) as Record<string, (string | number)[]>;
  }

  /** A table whose keys somebody else knows, as they are in the code. */
  anything(key: string): Readonly<Record<string, unknown>> {
    return this.has(key) ? (inCamelCase(this.below(key).table) as Table) : {};
  }

  /** A table below this one; an empty one when it is missing. */
  below(key: string): Fields {
    const value = this.has(key) ? this.table[key] : {};
    if (!isTable(value)) throw this.wrong(key, "a table");
    return new Fields(this.code, this.file, `${this.path}${key}.`, value);
  }

  /** The tables of `[[key]]`. */
  tables(key: string): readonly Fields[] {
    const value = this.has(key) ? this.table[key] : [];
    if (!Array.isArray(value) || !value.every(isTable)) throw this.wrong(key, `[[${key}]] tables`);
    return value.map(
      (table, index) =>
        new Fields(this.code, this.file, `${this.path}${key}[${index + 1}].`, table as Table),
    );
  }

  /** Throws when there are keys that nobody has asked for. */
  end(): void {
    const known = [...this.asked];
    const unknown = this.keys().find((key) => !this.asked.has(key));
    if (unknown === undefined) return;
    const near = suggest(unknown, known);
    const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
    throw this.error(
      `there is no key "${this.path}${unknown}".${hint} There are: ${known.join(", ")}`,
    );
  }

  /** What is wrong with a key; the caller throws it. */
  wrong(key: string, expected: string, near?: string): KoalaError {
    const value = this.table[key];
    const found = value === undefined ? "it is missing" : `it is ${JSON.stringify(value)}`;
    const hint = near === undefined ? "" : `. Did you mean "${near}"?`;
    return this.error(`"${this.path}${key}" must be ${expected}; ${found}${hint}`);
  }

  error(message: string, cause?: unknown): KoalaError {
    return new KoalaError(this.code, `${this.file}: ${message}`, { cause });
  }

  private keys(): string[] {
    return Object.keys(this.table);
  }

  private value(key: string, otherwise?: unknown): unknown {
    this.asked.add(key);
    return this.table[key] ?? otherwise;
  }
}

/** Parses a file's text; errors have the given code, and name the file. */
export function readFields(code: string, file: string, text: string): Fields {
  try {
    return new Fields(code, file, "", parse(text));
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [first = ""] = cause.message.split("\n");
    const reason = first.replace("Invalid TOML document: ", "");
    throw new KoalaError(
      code,
      `${file}:${cause.line}:${cause.column}: this is not TOML: ${reason}`,
      { cause },
    );
  }
}

/** Keys of TOML are words with underscores, names in the code are not. */
export function camel(key: string): string {
  return key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function inCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inCamelCase);
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [camel(key), inCamelCase(inner)]),
  );
}

function isTable(value: unknown): value is Table {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

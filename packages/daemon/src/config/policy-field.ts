/** The kinds of values in `[modules]` and `[[policy]]`, as `field.ts` has those of the other sections. */
import {
  type Field,
  fieldOf,
  pathLengthMax,
  readPath,
  requiredField,
  withDefault,
} from "./field.ts";
import { accept, type Reading, refuse } from "./reading.ts";

const listLengthMax = 256;

/** Folders; none unless given. */
export function foldersField(): Field<string[]> {
  const expected = "a list of paths of folders";
  const read = (value: unknown): Reading<string[]> => {
    if (typeof value === "string") return refuse(expected, `Write [${JSON.stringify(value)}].`);
    if (!Array.isArray(value) || value.length > listLengthMax) return refuse(expected);
    for (const item of value) {
      const reading = readPath(item, expected);
      if (!reading.ok) return reading;
    }
    return accept(value as string[]);
  };
  return withDefault("[]", "list of paths", fieldOf(read).prefault([]));
}

/** What `use` names. */
export function moduleField(): Field<string> {
  return requiredField("name of a module, or path", (value) =>
    readPath(value, 'the name of a module, such as "acl", or the path of one'),
  );
}

/** A pattern, or a list of them; `undefined` when not given. */
export function patternsField(): Field<string[] | undefined> {
  const expected = 'a text such as "geo.*", or a list of them';
  const isPattern = (value: unknown): value is string =>
    typeof value === "string" && value !== "" && value.length <= pathLengthMax;
  const read = (value: unknown): Reading<string[]> => {
    if (isPattern(value)) return accept([value]);
    const isList = Array.isArray(value) && value.length > 0 && value.length <= listLengthMax;
    return isList && value.every(isPattern) ? accept(value) : refuse(expected);
  };
  return withDefault("everything", "text with `*`, or a list", fieldOf(read).optional());
}

/** `true` or `false`. */
export function switchField(defaultValue: boolean): Field<boolean> {
  const read = (value: unknown): Reading<boolean> =>
    typeof value === "boolean" ? accept(value) : refuse("true or false, without quotes");
  return withDefault(String(defaultValue), "true or false", fieldOf(read).prefault(defaultValue));
}

/** A whole number; `undefined` when not given. */
export function orderField(defaultText: string): Field<number | undefined> {
  const limit = 1_000_000;
  const read = (value: unknown): Reading<number> =>
    typeof value === "bigint" && value >= -limit && value <= limit
      ? accept(Number(value))
      : refuse(`a whole number from ${-limit} to ${limit}`);
  return withDefault(defaultText, `${-limit} to ${limit}`, fieldOf(read).optional());
}

/** Texts by key; `undefined` when not given. */
export function labelsField(): Field<Record<string, string> | undefined> {
  const read = (value: unknown): Reading<Record<string, string>> =>
    isPlainTable(value) && Object.values(value).every((item) => typeof item === "string")
      ? accept({ ...(value as Record<string, string>) })
      : refuse('a table of texts, such as { tier = "gold" }');
  return withDefault("everything", "table of texts with `*`", fieldOf(read).optional());
}

/** A table that somebody else knows: read as JSON would have it. */
export function tableField(): Field<Record<string, unknown>> {
  const read = (value: unknown): Reading<Record<string, unknown>> => {
    if (!isPlainTable(value)) return refuse("a table");
    const plain = plainValue(value);
    return plain === undefined
      ? refuse("a table whose numbers are within 2^53")
      : accept(plain as Record<string, unknown>);
  };
  return withDefault("empty", "table", fieldOf(read).prefault({}));
}

/** TOML's integers and dates as JSON has them; undefined when a number is too large for that. */
function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) {
    const items = value.map(plainValue);
    return items.includes(undefined) ? undefined : items;
  }
  if (!isPlainTable(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, plainValue(item)] as const);
  if (entries.some(([, item]) => item === undefined)) return undefined;
  return Object.fromEntries(entries);
}

function isPlainTable(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

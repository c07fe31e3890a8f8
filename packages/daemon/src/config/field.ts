/**
 * The kinds of values in `koala.toml` as zod types: each reads one TOML value, applies its default and
 * its limits, and says what it expects. Integers come from the TOML parser as bigints, so that `1.0`
 * and a number above 2^53 are seen as what they are.
 */
import { z } from "zod";
import { logSpecExpected, readLogSpec } from "../log/spec.ts";
import { type Address, readAddress } from "./address.ts";
import { type DurationRange, describeDurations, readDuration } from "./duration.ts";
import { accept, type Reading, refuse } from "./reading.ts";
import { formatSize, readSize, type SizeRange } from "./size.ts";
import { didYouMean } from "./suggestion.ts";

/** What the reference page says about a key. */
export interface KeyFacts {
  /** As one writes it in the file, or a phrase where it depends on the host; "required" if there is none. */
  readonly default: string;
  /** Range or form of the value. */
  readonly range: string;
}

/** Facts of every field, by its zod type. */
export const keyFacts: z.core.$ZodRegistry<KeyFacts> = z.registry<KeyFacts>();

/** A zod type that reads a value the way `read` does, and the facts for the page. */
export type Field<T> = z.ZodType<T>;

const nameExpected = "1 to 64 letters, digits, dots, dashes or underscores";
const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
/** Characters of a path, or of a pattern. */
export const pathLengthMax = 1024;

/** Words for spinning besides a duration. */
const spinWords = ["adaptive", "off"] as const;

/** How the spin key reads: a word, or a fixed time. */
export interface Spin {
  readonly mode: "adaptive" | "off" | "fixed";
  /** The fixed time; 0 for the words. */
  readonly micros: number;
}

/** A field without a default. */
export function requiredField<T>(range: string, read: (value: unknown) => Reading<T>): Field<T> {
  return fieldOf(read).register(keyFacts, { default: "required", range });
}

/** Bytes. */
export function sizeField(range: SizeRange & { readonly default: string }): Field<number> {
  return withDefault(
    `"${range.default}"`,
    `${formatSize(range.min)} to ${formatSize(range.max)}`,
    fieldOf((value) => readSize(value, range)).prefault(range.default),
  );
}

/** Milliseconds or microseconds, as the range says. */
export function durationField(range: DurationRange & { readonly default: string }): Field<number> {
  return withDefault(
    `"${range.default}"`,
    describeDurations(range).replace("a duration from ", ""),
    fieldOf((value) => readDuration(value, range)).prefault(range.default),
  );
}

/** A whole number; with `powerOfTwo` one of 1, 2, 4, … */
export function countField(range: {
  readonly min: number;
  readonly max: number;
  readonly powerOfTwo?: boolean;
  readonly default: number;
}): Field<number> {
  const powerOfTwo = range.powerOfTwo === true;
  const limits = `${range.min} to ${range.max}`;
  const read = (value: unknown): Reading<number> => {
    const noun = powerOfTwo ? "a power of two" : "a whole number";
    const expected = `${noun} from ${limits}`;
    if (typeof value === "string" && /^\d{1,15}$/.test(value)) {
      return refuse(expected, "Write it without quotes.");
    }
    if (typeof value !== "bigint" || value < range.min || value > range.max)
      return refuse(expected);
    const count = Number(value);
    if (!powerOfTwo || Number.isInteger(Math.log2(count))) return accept(count);
    const below = 2 ** Math.floor(Math.log2(count));
    const nearest = [below, below * 2].filter((power) => power >= range.min && power <= range.max);
    return refuse(expected, `The nearest are ${nearest.join(" and ")}.`);
  };
  return withDefault(
    String(range.default),
    powerOfTwo ? `${limits}, a power of two` : limits,
    fieldOf(read).prefault(BigInt(range.default)),
  );
}

/** A path that is not empty; `undefined` when not given. */
export function pathField(defaultText: string): Field<string | undefined> {
  const read = (value: unknown): Reading<string> => readPath(value, "the path of a directory");
  return withDefault(defaultText, "path", fieldOf(read).optional());
}

/** A file, or "" for none. */
export function fileField(meaningOfEmpty: string): Field<string> {
  const read = (value: unknown): Reading<string> =>
    value === "" ? accept("") : readPath(value, `the path of a file, or "" for ${meaningOfEmpty}`);
  return withDefault('""', `path, or "" for ${meaningOfEmpty}`, fieldOf(read).prefault(""));
}

/** A name that is shown to people and peers; `undefined` when not given. */
export function nameField(defaultText: string): Field<string | undefined> {
  const read = (value: unknown): Reading<string> =>
    typeof value === "string" && namePattern.test(value) ? accept(value) : refuse(nameExpected);
  return withDefault(defaultText, nameExpected, fieldOf(read).optional());
}

/** Where to listen; "" means nowhere. */
export function listenField(defaultAddress: string): Field<Address | null> {
  const read = (value: unknown): Reading<Address | null> => {
    if (value === "") return accept(null);
    const reading = readAddress(value, 0);
    return reading.ok ? reading : refuse(`${reading.expected}, or "" for no port`, reading.hint);
  };
  const range = 'host:port, port 0 to 65535 (0: any free one), or "" for no port';
  return withDefault(`"${defaultAddress}"`, range, fieldOf(read).prefault(defaultAddress));
}

/** `adaptive`, `off` or a duration. */
export function spinField(range: DurationRange): Field<Spin> {
  const words = spinWords.map((word) => `"${word}"`).join(", ");
  const read = (value: unknown): Reading<Spin> => {
    if (value === "adaptive" || value === "off") return accept({ mode: value, micros: 0 });
    const reading = readDuration(value, range);
    if (reading.ok) {
      return accept({ mode: reading.value === 0 ? "off" : "fixed", micros: reading.value });
    }
    const near = typeof value === "string" ? didYouMean(value.trim(), spinWords) : "";
    return refuse(`${words} or ${reading.expected}`, near || reading.hint);
  };
  return withDefault(
    '"adaptive"',
    `${words} or ${describeDurations(range).replace("a duration from ", "")}`,
    fieldOf(read).prefault("adaptive"),
  );
}

/** A whole number or one of some words. */
export function countOrWordField<Word extends string>(
  range: { readonly min: number; readonly max: number },
  words: readonly Word[],
): Field<number | Word> {
  const expected = `a whole number from ${range.min} to ${range.max}, or ${oneOf(words)}`;
  return requiredField<number | Word>(
    `${range.min} to ${range.max}, ${oneOf(words)}`,
    (value): Reading<number | Word> => {
      if (typeof value === "bigint" && value >= range.min && value <= range.max) {
        return accept(Number(value));
      }
      const reading = readWord(value, words);
      return reading.ok ? reading : refuse(expected, reading.hint);
    },
  );
}

/** The name of an app, with `*` for any text. */
export function callerField(): Field<string> {
  const expected = 'the name of an app of 1 to 255 characters, with "*" for any text';
  return requiredField('name, with "*" for any text', (value) =>
    typeof value === "string" && value.length >= 1 && value.length <= 255
      ? accept(value)
      : refuse(expected),
  );
}

/** Levels of the log; the value stays text, which `createLog` reads. */
export function logSpecField(): Field<string> {
  const read = (value: unknown): Reading<string> => {
    if (typeof value !== "string") return refuse(logSpecExpected);
    const reading = readLogSpec(value);
    return reading.ok ? accept(value) : reading;
  };
  return withDefault('"info"', "level, or levels by area", fieldOf(read).prefault("info"));
}

/** One of some words. */
export function wordField<Word extends string>(
  words: readonly Word[],
  defaultWord: Word,
): Field<Word> {
  const read = (value: unknown): Reading<Word> => readWord(value, words);
  return withDefault(`"${defaultWord}"`, oneOf(words), fieldOf(read).prefault(defaultWord));
}

function readWord<Word extends string>(value: unknown, words: readonly Word[]): Reading<Word> {
  const word = words.find((known) => known === value);
  if (word !== undefined) return accept(word);
  const hint = typeof value === "string" ? didYouMean(value.trim(), words) : "";
  return refuse(oneOf(words), hint);
}

function oneOf(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(" or ");
}

/** A path, not empty and without surprises; `expected` says whose. */
export function readPath(value: unknown, expected: string): Reading<string> {
  if (typeof value !== "string" || value === "") return refuse(expected);
  if (value.length > pathLengthMax)
    return refuse(`${expected} of at most ${pathLengthMax} characters`);
  if (/\p{Cc}/u.test(value)) return refuse(`${expected} without control characters`);
  return value.startsWith("~")
    ? refuse(expected, 'Only a shell knows "~": write the whole path.')
    : accept(value);
}

/** A zod type that reads values this way. */
export function fieldOf<T>(read: (value: unknown) => Reading<T>): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    const reading = read(value);
    if (reading.ok) return reading.value;
    const { expected, hint } = reading;
    context.issues.push({ code: "custom", input: value, params: { expected, hint } });
    return z.NEVER;
  });
}

/** The field with its facts. */
export function withDefault<T>(text: string, range: string, type: z.ZodType<T>): Field<T> {
  return type.register(keyFacts, { default: text, range });
}

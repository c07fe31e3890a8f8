/**
 * One line of the log before it is written: plain data, so that it crosses threads as it is.
 */

import type { LogArea, RecordLevelName } from "./level.ts";
import { textLengthMax } from "./printable.ts";

/** What a caller may add to a message; anything is allowed and nothing makes logging throw. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A field's value as it is kept. */
export type PlainValue = string | number | boolean | null;

export interface LogRecord {
  /** Milliseconds since 1970, taken where the record was made. */
  readonly time: number;
  readonly level: RecordLevelName;
  readonly area: LogArea;
  readonly message: string;
  readonly fields: Readonly<Record<string, PlainValue>>;
}

/** More fields are left out, and their number is said in the field `more`. */
const fieldCountMax = 32;

const noFields: Readonly<Record<string, PlainValue>> = {};

/** Makes a record of what a caller gave; copies, so that later changes of the fields do not show. */
export function createRecord(
  time: number,
  level: RecordLevelName,
  area: LogArea,
  message: string,
  fields: LogFields | undefined,
): LogRecord {
  return {
    time,
    level,
    area,
    message: cut(String(message)),
    fields: fields === undefined ? noFields : plainFields(fields),
  };
}

function plainFields(fields: LogFields): Record<string, PlainValue> {
  const plain: Record<string, PlainValue> = {};
  const names = Object.keys(fields);
  for (const name of names.slice(0, fieldCountMax)) {
    const value = plainValueOf(fields, name);
    // A plain assignment of this one name would set the prototype.
    if (value !== undefined && name !== "__proto__") plain[name] = value;
  }
  if (names.length > fieldCountMax) plain["more"] = names.length - fieldCountMax;
  return plain;
}

function plainValueOf(fields: LogFields, name: string): PlainValue | undefined {
  try {
    return plainValue(fields[name]);
  } catch {
    // A getter, a toJSON or a cycle: a log line is not worth a failed call.
    return "(not printable)";
  }
}

function plainValue(value: unknown): PlainValue | undefined {
  switch (typeof value) {
    case "string":
      return cut(value);
    case "number":
      // JSON has neither of the three that are not finite.
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
    case "undefined":
      return value;
    case "bigint":
    case "symbol":
      return cut(String(value));
    case "function":
      return "(function)";
    default:
      return value === null ? null : plainObject(value as object);
  }
}

function plainObject(value: object): PlainValue {
  if (value instanceof Error) return cut(errorText(value));
  const json = JSON.stringify(value, (_, part: unknown) =>
    typeof part === "bigint" ? String(part) : part,
  );
  return cut(json ?? "(nothing)");
}

/** Code, message and the messages of the causes; the stack only of errors that have no code: bugs. */
function errorText(error: Error): string {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string") return error.stack ?? error.message;
  const causes: string[] = [];
  let cause: unknown = error.cause;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth++) {
    causes.push(`: ${cause.message}`);
    cause = cause.cause;
  }
  const text = error.message.startsWith(code) ? error.message : `${code} ${error.message}`;
  return text + causes.join("");
}

function cut(text: string): string {
  return text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;
}

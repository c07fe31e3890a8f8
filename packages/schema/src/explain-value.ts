/**
 * Finds out what is wrong with a message that a generated writer gave up on. Slow and thorough: the
 * writer itself only compares and throws.
 */
import { KoalaError, messageOf } from "@koala/interface";
import type { FieldLayout, MessageLayout, ValueLayout } from "./layout.ts";
import { messageDepthMax } from "./limits.ts";
import { packUnknown, type UnknownField } from "./unknown-fields.ts";
import { structFromJson } from "./well-known.ts";

interface Problem {
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}

type Fields = Record<string, unknown>;

/** The error for a message that can't be written. */
export function explainValue(root: MessageLayout, message: unknown, cause: unknown): KoalaError {
  let problem: Problem | null = null;
  try {
    problem = inMessage(root, message, "", 1);
  } catch {
    // A getter or proxy of the message threw: the cause says more than we can.
  }
  if (problem === null) {
    const text = `${root.typeName}: the message can't be written: ${messageOf(cause)}`;
    return new KoalaError("ERR_SCHEMA_VALUE", text, { cause });
  }
  const { path, found, expected } = problem;
  const where = path === "" ? root.typeName : `${root.typeName}${path}`;
  return new KoalaError("ERR_SCHEMA_VALUE", `${where}: found ${found}, expected ${expected}`);
}

function inMessage(
  layout: MessageLayout,
  message: unknown,
  path: string,
  depth: number,
): Problem | null {
  if (depth > messageDepthMax) {
    const expected = `at most ${messageDepthMax} nested messages`;
    return { path: path.slice(0, 120), found: "more (or a cycle)", expected };
  }
  const expected = `a ${layout.typeName} message (made with create())`;
  if (typeof message !== "object" || message === null) {
    return { path, found: described(message), expected };
  }
  const fields = message as Fields;
  if (fields["$typeName"] !== layout.typeName) {
    const found = `an object with $typeName ${described(fields["$typeName"])}`;
    return { path, found, expected };
  }
  for (const field of layout.fields) {
    const problem = inField(layout, field, fields, path, depth);
    if (problem !== null) return problem;
  }
  for (const oneof of layout.oneofs) {
    const adt = fields[oneof.localName] as { case?: unknown };
    if (adt.case !== undefined && !oneof.members.some((m) => m.localName === adt.case)) {
      const names = oneof.members.map((m) => m.localName).join(", ");
      return {
        path: `${path}.${oneof.localName}.case`,
        found: described(adt.case),
        expected: names,
      };
    }
  }
  const unknown = fields["$unknown"];
  if (unknown !== undefined && packUnknown(unknown as UnknownField[]) === null) {
    return {
      path: `${path}.$unknown`,
      found: "malformed fields",
      expected: "{no, wireType, data}",
    };
  }
  return null;
}

function inField(
  layout: MessageLayout,
  field: FieldLayout,
  message: Fields,
  path: string,
  depth: number,
): Problem | null {
  const { localName, value, oneof } = field;
  if (oneof !== null) {
    const adt = message[oneof.localName];
    const at = `${path}.${oneof.localName}`;
    if (typeof adt !== "object" || adt === null) {
      return { path: at, found: described(adt), expected: "an object {case, value}" };
    }
    const { case: name, value: held } = adt as { case?: unknown; value?: unknown };
    return name === localName ? inValue(value, held, `${at}.value (${localName})`, depth) : null;
  }
  const at = `${path}.${localName}`;
  const held = message[localName];
  if (field.shape === "list") return inList(value, held, at, depth);
  if (field.shape === "map") return inMap(field, held, at, depth);
  if (field.presence !== "implicit") {
    const isOwn = value.kind === "message" || !layout.usesPrototype;
    if (held === undefined || !(isOwn || Object.hasOwn(message, localName))) {
      if (field.presence !== "required") return null;
      return { path: at, found: "nothing", expected: "a value: the field is required" };
    }
  }
  const closed = value.enum !== null && !value.enum.open ? value.enum : null;
  if (field.presence === "required" && closed?.values.some((v) => v.number === held) === false) {
    return { path: at, found: described(held), expected: `a value of ${closed.typeName}` };
  }
  return inValue(value, held, at, depth);
}

function inList(value: ValueLayout, held: unknown, path: string, depth: number): Problem | null {
  if (!Array.isArray(held)) return { path, found: described(held), expected: "an array" };
  for (let i = 0; i < held.length; i++) {
    const problem = inValue(value, held[i], `${path}[${i}]`, depth);
    if (problem !== null) return problem;
  }
  return null;
}

function inMap(field: FieldLayout, held: unknown, path: string, depth: number): Problem | null {
  if (typeof held !== "object" || held === null || Array.isArray(held)) {
    return { path, found: described(held), expected: "an object" };
  }
  for (const [name, item] of Object.entries(held)) {
    const at = `${path}[${JSON.stringify(name.slice(0, 60))}]`;
    const key = field.key!;
    const expected = expectation(key, keyValue(key, name));
    if (expected !== null) {
      return { path: at, found: `the key ${described(name)}`, expected };
    }
    const problem = inValue(field.value, item, at, depth);
    if (problem !== null) return problem;
  }
  return null;
}

function keyValue(key: ValueLayout, name: string): unknown {
  if (key.kind === "string") return name;
  if (key.kind === "bool") return name === "true" ? true : name === "false" ? false : name;
  if (!/^-?[0-9]{1,20}$/.test(name)) return undefined;
  return key.kind === "i64" || key.kind === "u64" ? BigInt(name) : Number(name);
}

function inValue(value: ValueLayout, held: unknown, path: string, depth: number): Problem | null {
  if (value.kind === "message") {
    const message = value.message!;
    if (value.form === "struct") return inMessage(message, structFromJson(held), path, depth + 1);
    if (value.form === "wrapper") return inValue(message.fields[0]!.value, held, path, depth);
    return inMessage(message, held, path, depth + 1);
  }
  const expected = expectation(value, held);
  return expected === null ? null : { path, found: described(held), expected };
}

/** What a scalar should have been; `null` when it is fine. */
function expectation(value: ValueLayout, held: unknown): string | null {
  switch (value.kind) {
    case "bool":
      return typeof held === "boolean" ? null : "a boolean";
    case "enum":
      return (Number(held) | 0) === held ? null : "a 32-bit integer of its enum";
    case "i32":
      return (Number(held) | 0) === held ? null : "an integer from -2147483648 to 2147483647";
    case "u32":
      return Number(held) >>> 0 === held ? null : "an integer from 0 to 4294967295";
    case "f64":
      return typeof held === "number" ? null : "a number";
    case "f32":
      return isFloat(held) ? null : "a number in the range of a 32-bit float";
    case "i64":
      return isLong(held, BigInt.asIntN) ? null : "a bigint from -2^63 to 2^63-1";
    case "u64":
      return isLong(held, BigInt.asUintN) ? null : "a bigint from 0 to 2^64-1";
    case "string":
      return typeof held === "string" ? null : "a string";
    case "bytes":
      return held instanceof Uint8Array ? null : "a Uint8Array";
    case "message":
      return null;
  }
}

function isFloat(held: unknown): boolean {
  if (typeof held !== "number") return false;
  return Number.isFinite(Math.fround(held)) || !Number.isFinite(held);
}

function isLong(held: unknown, wrap: (bits: number, value: bigint) => bigint): boolean {
  if (typeof held === "bigint") return wrap(64, held) === held;
  const isNumber = typeof held === "number" && Number.isSafeInteger(held);
  const isText = typeof held === "string" && /^-?[0-9]{1,20}$/.test(held);
  if (!isNumber && !isText) return false;
  const value = BigInt(held);
  return wrap(64, value) === value;
}

/** A value in few words: a message may hold secrets and megabytes. */
/** A value in a few words, for an error. */
export function described(value: unknown): string {
  if (value === undefined) return "undefined";
  if (value === null) return "null";
  if (typeof value === "string") return `the string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === "bigint") return `the bigint ${value.toString().slice(0, 40)}`;
  if (typeof value === "object") return Array.isArray(value) ? "an array" : "an object";
  return `the ${typeof value} ${String(value).slice(0, 40)}`;
}

/** Functions that generated code calls. They never throw for values of the types they are for. */

interface Time {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Of a Timestamp or Duration; one that is not set is an empty one. */
function nanoseconds(time: Time | undefined): bigint {
  return time === undefined ? 0n : time.seconds * 1_000_000_000n + BigInt(time.nanos);
}

function floorSeconds(nanos: bigint): bigint {
  const seconds = nanos / 1_000_000_000n;
  return nanos < 0n && seconds * 1_000_000_000n !== nanos ? seconds - 1n : seconds;
}

function hasKeys(map: object): boolean {
  for (const _ in map) return true;
  return false;
}

/**
 * Presence of a field whose default is on the prototype. A view has nothing of its own: there, a field
 * that was set to its default counts as not set.
 */
function isSet(message: Record<string, unknown>, property: string, absent: unknown): boolean {
  if (Object.hasOwn(message, property)) return message[property] !== undefined;
  const value = message[property];
  if (value === undefined) return false;
  if (value instanceof Uint8Array) return !sameBytes(value, absent as Uint8Array);
  return value !== absent;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Order of strings by their characters: that of UTF-16 units differs for surrogates. */
function compare(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function countCharacters(text: string): number {
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    const isLow = (text.charCodeAt(i) & 0xfc00) === 0xdc00;
    if (isLow && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) count--;
  }
  return count;
}

function isInRange(value: bigint, isUnsigned: boolean): boolean {
  return isUnsigned
    ? value >= 0n && value <= 18_446_744_073_709_551_615n
    : value >= -9_223_372_036_854_775_808n && value <= 9_223_372_036_854_775_807n;
}

/** Without what is behind the point. */
function integerOfDouble(value: number, isUnsigned: boolean): bigint | undefined {
  if (!Number.isFinite(value)) return undefined;
  const whole = BigInt(Math.trunc(value));
  // CEL takes doubles only from within the range, and -2^63 is its border.
  if (!isUnsigned && whole === -9_223_372_036_854_775_808n) return undefined;
  return isInRange(whole, isUnsigned) && (!isUnsigned || value >= 0) ? whole : undefined;
}

const digits = /^[+-]?[0-9]{1,20}$/;
const unsignedDigits = /^[0-9]{1,20}$/;

function integerOfText(text: string, isUnsigned: boolean): bigint | undefined {
  if (!(isUnsigned ? unsignedDigits : digits).test(text)) return undefined;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return isInRange(value, isUnsigned) ? value : undefined;
}

const decimal = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

function doubleOfText(text: string): number | undefined {
  return text.length <= 400 && decimal.test(text) ? Number(text) : undefined;
}

function isTrue(key: string): boolean {
  return key === "true";
}

export const prelude: object = Object.freeze({
  compare,
  countCharacters,
  doubleOfText,
  floorSeconds,
  hasKeys,
  integerOfDouble,
  integerOfText,
  isSet,
  isTrue,
  nanoseconds,
  sameBytes,
});

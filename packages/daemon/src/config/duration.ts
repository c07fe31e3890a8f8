import { accept, type Reading, refuse } from "./reading.ts";

/** The units of durations, in microseconds. */
const unitMicros: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
};
const unitNames = Object.keys(unitMicros);

/** What people write for a unit, and the unit it is. */
const unitAliases: Readonly<Record<string, string>> = {
  µs: "us",
  usec: "us",
  msec: "ms",
  millis: "ms",
  sec: "s",
  secs: "s",
  second: "s",
  seconds: "s",
  min: "m",
  mins: "m",
  minute: "m",
  minutes: "m",
  hour: "h",
  hours: "h",
};

/** Limits of a duration in microseconds, both allowed, and the unit that the value is kept in. */
export interface DurationRange {
  readonly minMicros: number;
  readonly maxMicros: number;
  /** The value must be a whole number of these. */
  readonly unit: "us" | "ms";
}

/** `1500ms`: the largest unit that gives a whole number; nothing is `0s`. */
export function formatDuration(micros: number): string {
  if (micros === 0) return "0s";
  let text = `${micros}us`;
  for (const name of unitNames) {
    const unit = unitMicros[name]!;
    if (micros >= unit && micros % unit === 0) text = `${micros / unit}${name}`;
  }
  return text;
}

/** `a duration from 1ms to 1m`, for messages and for the reference page. */
export function describeDurations(range: DurationRange): string {
  const from = range.minMicros === 0 ? `0${range.unit}` : formatDuration(range.minMicros);
  return `a duration from ${from} to ${formatDuration(range.maxMicros)}`;
}

/** Reads `"500ms"`, `"2s"`, `"1m"` into the unit of the range. A bare number has no unit: refused. */
export function readDuration(value: unknown, range: DurationRange): Reading<number> {
  const expected = describeDurations(range);
  const example = range.unit === "us" ? "50us" : "500ms";
  const written = typeof value === "string" ? value.trim() : "";
  if (typeof value === "bigint" || /^\d{1,15}$/.test(written)) {
    const meant = `${typeof value === "bigint" ? value : written}${range.unit}`;
    return refuse(`${expected}, with its unit`, `Did you mean "${meant}"?`);
  }

  const match = /^(\d{1,12})\s*([a-zµ]+)$/i.exec(written);
  if (!match) return refuse(`${expected}, a whole number and a unit such as "${example}"`);
  const [, digits = "", unitWritten = ""] = match;
  const unit = unitMicros[unitWritten];
  if (unit === undefined) {
    const lower = unitWritten.toLowerCase();
    const meant = unitAliases[lower] ?? (lower in unitMicros ? lower : undefined);
    const hint = meant === undefined ? "" : `Did you mean "${digits}${meant}"?`;
    return refuse(`${expected} in us, ms, s, m or h`, hint);
  }

  const micros = Number(digits) * unit;
  if (micros < range.minMicros || micros > range.maxMicros) return refuse(expected);
  if (range.unit === "us") return accept(micros);
  if (micros % 1000 !== 0) return refuse(`${expected} in whole milliseconds`);
  return accept(micros / 1000);
}

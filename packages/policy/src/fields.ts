/** Types of configuration values that many policies have, so that they read alike everywhere. */
import { Status } from "@koala/interface";
import { z } from "zod";

/** The units of durations, in milliseconds; the same as in the rest of koala.toml. */
const unitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Limits of a duration, both allowed. */
export interface DurationLimits {
  /** 0 when not given. */
  readonly minMs?: number;
  /** An hour when not given. */
  readonly maxMs?: number;
}

/** A duration as text with its unit, `"500ms"`; the value is milliseconds. */
export function durationField({
  minMs = 0,
  maxMs = 3_600_000,
}: DurationLimits = {}): z.ZodType<number> {
  const expected = `expected a duration from ${durationText(minMs)} to ${durationText(maxMs)}`;
  return z.unknown().transform((value, context): number => {
    const match =
      typeof value === "string" ? /^(\d{1,12})\s*(us|ms|s|m|h)$/.exec(value.trim()) : null;
    const ms = match === null ? Number.NaN : Number(match[1]) * unitMs[match[2]!]!;
    if (ms >= minMs && ms <= maxMs) return ms;
    const hint =
      match === null ? ', a whole number with its unit (us, ms, s, m or h), such as "500ms"' : "";
    context.issues.push({ code: "custom", input: value, message: expected + hint });
    return z.NEVER;
  });
}

/** `250us`, `3s`: the largest unit that gives a whole number. */
export function durationText(ms: number): string {
  if (ms === 0) return "0ms";
  let text = `${Math.round(ms * 1000)}us`;
  for (const [unit, size] of Object.entries(unitMs)) {
    if (ms >= size && Number.isInteger(ms / size)) text = `${ms / size}${unit}`;
  }
  return text;
}

/** A status by name, `"UNAVAILABLE"`; not OK, because it is what calls end with that are turned down. */
export function statusField(): z.ZodType<Status> {
  const names = Object.keys(Status).filter((name) => name !== "OK");
  return z.enum(names).transform((name) => Status[name as keyof typeof Status]);
}

/** One text or a list of texts, in which `*` stands for anything; see `fits`. */
export function patternsField(): z.ZodType<readonly string[]> {
  const pattern = z.string().min(1).max(255);
  const list = z.array(pattern).min(1).max(64);
  return z.union([pattern.transform((text) => [text]), list]);
}

/** 0 to 1. */
export function probabilityField(): z.ZodType<number> {
  return z.number().min(0).max(1);
}

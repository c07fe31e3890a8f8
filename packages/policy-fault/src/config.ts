/** The configuration of a fault attachment. */
import {
  type ConfigProblem,
  durationField,
  patternsField,
  probabilityField,
  Status,
  statusField,
  z,
} from "@koala/policy";

const delayMsMax = 10 * 60_000;

/** Holds a call for a while. */
export interface DelayConfig {
  /** Shortest delay, ms. */
  readonly min: number;
  /** Longest delay, ms; delays are spread evenly between the two. */
  readonly max: number;
  /** Of a call to be delayed. */
  readonly probability: number;
}

/** Ends a call instead of sending it. */
export interface AbortConfig {
  readonly status: Status;
  readonly message: string;
  readonly probability: number;
  /** Streams get so many messages through, of both sides together, before they end; unary calls pass. */
  readonly messages?: number | undefined;
}

/** What may happen to a call. */
export interface FaultRule {
  /** Which calls it is for, see `FaultConfig.rules`. */
  readonly method: readonly string[];
  readonly delay?: DelayConfig | undefined;
  readonly abort?: AbortConfig | undefined;
}

/** The `config` table of a `[[policy]]` that uses `fault`. */
export interface FaultConfig {
  /** Makes what happens repeatable; without one it differs each time. */
  readonly seed?: number | undefined;
  /** For calls of methods that no rule is for. */
  readonly delay?: DelayConfig | undefined;
  readonly abort?: AbortConfig | undefined;
  /**
   * The first whose `method` fits a call is used. A pattern without "/" is compared with the method's
   * name, one with "/" with `service/method`.
   */
  readonly rules: readonly FaultRule[];
}

const delay: z.ZodType<DelayConfig> = z
  .strictObject({
    time: durationField({ maxMs: delayMsMax }).optional(),
    min: durationField({ maxMs: delayMsMax }).optional(),
    max: durationField({ maxMs: delayMsMax }).optional(),
    probability: probabilityField().default(1),
  })
  .transform(({ time, min, max, probability }, context): DelayConfig => {
    const complain = (message: string, path: string[] = []): DelayConfig => {
      context.issues.push({ code: "custom", input: time, message, path });
      return z.NEVER;
    };
    if (time !== undefined) {
      if (min !== undefined || max !== undefined)
        return complain('expected "time", or "min" and "max"');
      return { min: time, max: time, probability };
    }
    if (max === undefined) return complain('expected "time", or "min" and "max"');
    const from = min ?? 0;
    if (from > max) return complain('expected a duration of at least "min"', ["max"]);
    return { min: from, max, probability };
  });

const abort: z.ZodType<AbortConfig> = z.strictObject({
  status: statusField().default(Status.UNAVAILABLE),
  message: z.string().max(1024).default("injected by the policy fault"),
  probability: probabilityField().default(1),
  messages: z.int().min(0).max(1_000_000_000).optional(),
});

/** Type and defaults of the `config` table. */
export const faultConfig: z.ZodType<FaultConfig> = z.strictObject({
  seed: z.int().min(0).max(0xffff_ffff).optional(),
  delay: delay.optional(),
  abort: abort.optional(),
  rules: z
    .array(
      z.strictObject({
        method: patternsField(),
        delay: delay.optional(),
        abort: abort.optional(),
      }),
    )
    .max(256)
    .default([]),
});

/** A table that can't do anything is a mistake. */
export function checkConfig({ delay: some, abort: other, rules }: FaultConfig): ConfigProblem[] {
  if (some !== undefined || other !== undefined || rules.length > 0) return [];
  const message = 'nothing to do: expected "delay", "abort" or "rules"';
  return [{ path: [], message }];
}

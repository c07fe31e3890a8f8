/** The configuration of a qos attachment. */
import { type ConfigProblem, durationField, patternsField, z } from "@koala/policy";

/** Most classes of one attachment. */
export const classesMax = 16;

/** Calls that are treated alike. A call belongs to the first class that it fits; one that fits none, to the last. */
export interface ClassConfig {
  readonly name: string;
  /** Names of calling apps, `app` or `app@host`. */
  readonly caller?: readonly string[] | undefined;
  /** Methods; a pattern with "/" is compared with `service/method`. */
  readonly method?: readonly string[] | undefined;
  /** Larger goes first. */
  readonly priority: number;
  /** Calls in flight, however quiet the others are; 0: any number. What is in flight can't be taken back. */
  readonly limit: number;
}

/** The `config` table of a `[[policy]]` that uses `qos`. */
export interface QosConfig {
  readonly classes: readonly ClassConfig[];
  /** While a higher class is active, a lower one may be served for this share of the time. */
  readonly share: number;
  /** A class counts as active for this time after its last call, ms. */
  readonly linger: number;
  /** Calls of one class and runtime that may wait; further ones end with RESOURCE_EXHAUSTED. */
  readonly queue: number;
}

/** Type and defaults of the `config` table. */
export const qosConfig: z.ZodType<QosConfig> = z.strictObject({
  classes: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(64),
        caller: patternsField().optional(),
        method: patternsField().optional(),
        priority: z.int().min(-1000).max(1000),
        limit: z.int().min(0).max(65_536).default(0),
      }),
    )
    .min(1)
    .max(classesMax),
  share: z.number().min(0).max(1).default(0.005),
  linger: durationField({ minMs: 0, maxMs: 60_000 }).default(20),
  queue: z.int().min(1).max(1_000_000).default(65_536),
});

/** What the type can't see. */
export function checkConfig({ classes }: QosConfig): ConfigProblem[] {
  const names = classes.map(({ name }) => name);
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          {
            path: ["classes", index, "name"],
            message: `expected another name: "${name}" is taken`,
          },
        ],
  );
}

/** The configuration of a balance attachment. */
import { type ConfigProblem, z } from "@koala/policy";

/** What calls with the same value go to the same endpoint by. */
export type HashKey = "caller" | { readonly metadata: string };

/** The `config` table of a `[[policy]]` that uses `balance`. */
export interface BalanceConfig {
  readonly method: "round_robin" | "least_request" | "random" | "consistent_hash";
  /** Endpoints that `least_request` compares. */
  readonly choices: number;
  /** For `consistent_hash`. */
  readonly hash: HashKey;
  /** By pattern of an endpoint's label; 1 for the others, 0 for no calls at all. Times its instances. */
  readonly weights: Readonly<Record<string, number>>;
  /** Gives less to endpoints that fail. */
  readonly health: boolean;
}

const key = z.union([
  z.literal("caller"),
  z.strictObject({ metadata: z.string().regex(/^[0-9a-z_.-]{1,128}$/) }),
]);

/** Type and defaults of the `config` table. */
export const balanceConfig: z.ZodType<BalanceConfig> = z.strictObject({
  method: z.enum(["round_robin", "least_request", "random", "consistent_hash"]),
  choices: z.int().min(2).max(16).default(2),
  hash: key.default("caller"),
  weights: z.record(z.string().min(1).max(255), z.number().min(0).max(1000)).default({}),
  health: z.boolean().default(false),
});

/** What the type can't see. */
export function checkConfig({ weights }: BalanceConfig): ConfigProblem[] {
  const all = Object.entries(weights);
  if (!all.some(([pattern, weight]) => pattern === "*" && weight === 0)) return [];
  if (all.some(([pattern, weight]) => pattern !== "*" && weight > 0)) return [];
  return [{ path: ["weights", "*"], message: "expected a weight above 0 for some endpoint" }];
}

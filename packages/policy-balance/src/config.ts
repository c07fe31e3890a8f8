/** The configuration of a balance attachment. */
import { checkSyntax } from "@koala/cel";
import { type ConfigProblem, z } from "@koala/policy";

/** The `config` table of a `[[policy]]` that uses `balance`. */
export interface BalanceConfig {
  readonly method: "round_robin" | "least_request" | "random" | "consistent_hash";
  /** Endpoints that `least_request` compares. */
  readonly choices: number;
  /** For `consistent_hash`: an expression of a text or a number; calls with the same value go to the same endpoint. */
  readonly key: string;
  /** By pattern of an endpoint's label; 1 for the others, 0 for no calls at all. Times its instances. */
  readonly weights: Readonly<Record<string, number>>;
  /** Gives less to endpoints that fail. */
  readonly health: boolean;
}

/** Type and defaults of the `config` table. */
export const balanceConfig: z.ZodType<BalanceConfig> = z.strictObject({
  method: z.enum(["round_robin", "least_request", "random", "consistent_hash"]),
  choices: z.int().min(2).max(16).default(2),
  key: z.string().min(1).max(1000).default("caller.app"),
  weights: z.record(z.string().min(1).max(255), z.number().min(0).max(1000)).default({}),
  health: z.boolean().default(false),
});

/** What the type can't see. */
export function checkConfig({ key, weights }: BalanceConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = checkSyntax(key).map(({ message, offset }) => ({
    path: ["key"],
    message,
    offset,
  }));
  const all = Object.entries(weights);
  const isNobody = all.some(([pattern, weight]) => pattern === "*" && weight === 0);
  if (isNobody && !all.some(([pattern, weight]) => pattern !== "*" && weight > 0)) {
    problems.push({
      path: ["weights", "*"],
      message: "expected a weight above 0 for some endpoint",
    });
  }
  return problems;
}

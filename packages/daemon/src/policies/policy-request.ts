/** Bodies of requests at the admin socket, checked with the same fields as koala.toml. */
import type {
  ApplyConfigRequest,
  AttachPolicyRequest,
  DetachPolicyRequest,
  PolicyMatch,
  PolicySpec,
  RollbackConfigRequest,
  SetPolicyRequest,
} from "@koala/protocol";
import { z } from "zod";
import { type DurationRange, describeDurations, readDuration } from "../config/duration.ts";
import type { MatchConfig } from "../config/index.ts";

const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
const orderMax = 1_000_000;
const budgetRange: DurationRange = { minMicros: 100, maxMicros: 10_000_000, unit: "us" };
/** Of a policy that says nothing about it. */
export const budgetMicrosDefault = 20_000;

const name = z.string().regex(namePattern, "1 to 64 letters, digits, dots, dashes or underscores");
const module = z.string().min(1).max(1024);
const pattern = z.string().min(1).max(1024);
const patterns = z.union([pattern, z.array(pattern).min(1).max(256)]);
const match: z.ZodType<PolicyMatch> = z.strictObject({
  service: patterns.optional(),
  method: patterns.optional(),
  caller: patterns.optional(),
  target: patterns.optional(),
  side: z.enum(["client", "server", "both"]).optional(),
  labels: z.record(z.string(), z.string()).optional(),
}) as z.ZodType<PolicyMatch>;
const order = z.number().int().min(-orderMax).max(orderMax);
const onFailure = z.enum(["open", "closed"]);
const budget = z.string().superRefine((text, context) => {
  const reading = readDuration(text, budgetRange);
  if (!reading.ok) {
    const message = `must be ${describeDurations(budgetRange)}, found "${text}". ${reading.hint}`;
    context.addIssue({ code: "custom", message: message.trimEnd() });
  }
});
const config = z.record(z.string(), z.unknown());
const dryRun = z.boolean().optional();

const policy = z.strictObject({
  name: name.optional(),
  use: module,
  match: match.optional(),
  order: order.optional(),
  enabled: z.boolean().optional(),
  onFailure: onFailure.optional(),
  budget: budget.optional(),
  config: config.optional(),
}) as z.ZodType<PolicySpec>;

export const attachBody: z.ZodType<AttachPolicyRequest> = z.strictObject({
  policy,
  dryRun,
}) as z.ZodType<AttachPolicyRequest>;

export const detachBody: z.ZodType<DetachPolicyRequest> = z.strictObject({
  name,
  dryRun,
}) as z.ZodType<DetachPolicyRequest>;

export const setBody: z.ZodType<SetPolicyRequest> = z.strictObject({
  name,
  config: config.optional(),
  merge: config.optional(),
  match: match.optional(),
  order: order.optional(),
  enabled: z.boolean().optional(),
  onFailure: onFailure.optional(),
  budget: budget.optional(),
  reset: z.boolean().optional(),
  dryRun,
}) as z.ZodType<SetPolicyRequest>;

export const applyBody: z.ZodType<ApplyConfigRequest> = z.strictObject({
  dryRun,
  reset: z.boolean().optional(),
}) as z.ZodType<ApplyConfigRequest>;

export const rollbackBody: z.ZodType<RollbackConfigRequest> = z.strictObject({
  revision: z.number().int().min(1),
  dryRun,
}) as z.ZodType<RollbackConfigRequest>;

/** A checked budget in microseconds. */
export function budgetMicrosOf(text: string): number {
  const reading = readDuration(text, budgetRange);
  return reading.ok ? reading.value : budgetMicrosDefault;
}

/** A match in the form in which the rest of the code has it: lists, and no side for both. */
export function matchConfigOf(given: PolicyMatch): MatchConfig {
  const { side, labels, ...rest } = given;
  const lists = Object.entries(rest).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, typeof value === "string" ? [value] : value] as const],
  );
  return {
    ...Object.fromEntries(lists),
    ...(side === undefined || side === "both" ? {} : { side }),
    ...(labels === undefined ? {} : { labels }),
  };
}

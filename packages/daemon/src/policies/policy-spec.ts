/** From what somebody asks for at the admin socket to the policy that is wanted. */
import type { PolicySpec, SetPolicyRequest } from "@koala/protocol";
import type { PolicyConfig } from "../config/index.ts";
import { defaultOrder, defaultPolicyName } from "../config/schema.ts";
import type { PolicyPatch } from "./desired-state.ts";
import { budgetMicrosDefault, budgetMicrosOf, matchConfigOf } from "./policy-request.ts";

/** The policy with all defaults: behind all `others`, unless it says where. */
export function policyOf(spec: PolicySpec, others: readonly PolicyConfig[]): PolicyConfig {
  const last = Math.max(0, ...others.map(({ order }) => order));
  return {
    name: spec.name ?? defaultPolicyName(spec.use),
    use: spec.use,
    match: matchConfigOf(spec.match ?? {}),
    order: spec.order ?? last + defaultOrder(0),
    enabled: spec.enabled ?? true,
    onFailure: spec.onFailure ?? "closed",
    budgetMicros: spec.budget === undefined ? budgetMicrosDefault : budgetMicrosOf(spec.budget),
    config: spec.config ?? {},
  };
}

/** What a request sets; `config` is what the policy has now. */
export function patchOf(request: SetPolicyRequest, config: PolicyConfig["config"]): PolicyPatch {
  const { merge, match, order, enabled, onFailure, budget } = request;
  let table = request.config;
  if (merge !== undefined) {
    const merged = Object.entries({ ...(table ?? config), ...merge });
    table = Object.fromEntries(merged.filter(([, value]) => value !== null));
  }
  return {
    ...(table === undefined ? {} : { config: table }),
    ...(match === undefined ? {} : { match: matchConfigOf(match) }),
    ...(order === undefined ? {} : { order }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(budget === undefined ? {} : { budgetMicros: budgetMicrosOf(budget) }),
  };
}

/** What the admin socket says about attached policies. */
import type { PolicyInstance, PolicyStatus } from "@koala/protocol";
import type { Attachment } from "./attachment.ts";
import { matchOf } from "./revision-text.ts";
import type { RuntimeAnswer } from "./runtime-group.ts";

/** The attachments, with what the runtimes say about their instances. */
export function statusOfPolicies(
  attachments: readonly Attachment[],
  answers: readonly RuntimeAnswer[],
  originOf: (name: string) => PolicyStatus["origin"],
): PolicyStatus[] {
  return attachments.map((attachment) => {
    const { id, policy, module } = attachment;
    const instances = answers.flatMap(({ runtime, policies }): PolicyInstance[] => {
      const found = policies.find((item) => item.id === id);
      if (found === undefined) return [];
      const state = found.failure === "" ? "active" : "quarantined";
      return [{ runtime, state, failure: found.failure, counters: { ...found.counters } }];
    });
    const failure = instances.find((instance) => instance.failure !== "")?.failure ?? "";
    const { name, use, order, enabled, onFailure, budgetMicros, config } = policy;
    const { version, stateVersion = 1 } = module.definition;
    return {
      name,
      use,
      version,
      stateVersion,
      module: module.entry,
      code: module.compiled.hash.slice(0, 8),
      origin: originOf(name),
      order,
      enabled,
      match: matchOf(policy.match),
      onFailure,
      budgetMicros,
      config: { ...config },
      state: enabled ? (failure === "" ? "active" : "quarantined") : "disabled",
      failure,
      counters: sumOf(instances),
      instances,
    };
  });
}

function sumOf(instances: readonly PolicyInstance[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counters } of instances) {
    for (const [key, value] of Object.entries(counters)) sums[key] = (sums[key] ?? 0) + value;
  }
  return sums;
}

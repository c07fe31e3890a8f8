/** What the admin socket says about modules that are policies. */
import {
  type PolicyDefinition,
  policyContract,
  policyFeatures,
  policyHooks,
  z,
} from "@koala/policy";
import type { ModuleStatus } from "@koala/protocol";
import type { PolicyModule } from "./policy-module.ts";

/** A module with the names of the policies that are attached with it. */
export function statusOfModule(module: PolicyModule, policies: readonly string[]): ModuleStatus {
  const { definition, compiled, entry, use } = module;
  const { name, version, stateVersion = 1, needs = {}, counters = [] } = definition;
  const { policy: contract = policyContract, node = "", features = [], after = [] } = needs;
  return {
    name,
    kind: "policy",
    version,
    stateVersion,
    use,
    file: entry,
    code: compiled.hash.slice(0, 8),
    provides: providedBy(definition),
    needs: {
      contract: `policy/${contract}`,
      node,
      features: [...features],
      after: [...after],
    },
    counters: [...counters],
    config: schemaOf(definition),
    policies: [...policies],
  };
}

/** What the members of a definition show, and what it says of itself. */
export function providedBy(definition: PolicyDefinition): string[] {
  const { provides = [] } = definition;
  const hooks = policyHooks.filter((hook) => Object.hasOwn(definition, hook));
  const has = (key: keyof PolicyDefinition, name: string): string[] =>
    definition[key] === undefined ? [] : [name];
  return [
    ...hooks,
    ...provides,
    ...has("onRoute", "route"),
    ...has("import", "state"),
    ...has("control", "control"),
  ];
}

/** What policies are offered here: `policy/1.0`, and the names of the features. */
export const offeredToPolicies: readonly string[] = [`policy/${policyContract}`, ...policyFeatures];

/** As JSON schema; null for a type that this daemon's zod can't tell, as one of another copy of it perhaps. */
function schemaOf({ config }: PolicyDefinition): Record<string, unknown> | null {
  try {
    return { ...z.toJSONSchema(config, { io: "input", unrepresentable: "any" }) };
  } catch {
    return null;
  }
}

/** What a daemon would say about a configuration. */
import { type ConfigProblem, fits, type PolicyDefinition } from "@koala/policy";
import type { Selector } from "@koala/policy/engine";
import type { ServiceSchema } from "@koala/schema";

/** The configuration as the policy gets it, or what is wrong with it. */
export type CheckedConfig =
  | { readonly ok: true; readonly config: unknown }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * Checks a `config` table as a daemon does: its type, then `check`, then `checkMethod` for each method
 * that the policy is attached to.
 */
export function checkConfig(
  policy: PolicyDefinition,
  raw: unknown,
  service: ServiceSchema,
  match: Selector = {},
): CheckedConfig {
  const parsed = policy.config.safeParse(raw);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => ({
      path: path.map((key) => (typeof key === "symbol" ? String(key) : key)),
      message,
    }));
    return { ok: false, problems };
  }
  const config = parsed.data;
  const problems = [...(policy.check?.(config) ?? [])];
  if (problems.length === 0 && policy.checkMethod !== undefined) {
    const takes = (patterns: readonly string[] | undefined, text: string): boolean =>
      patterns === undefined || patterns.some((pattern) => fits(pattern, text));
    for (const method of service.methods) {
      if (!takes(match.service, service.typeName) || !takes(match.method, method.name)) continue;
      problems.push(...policy.checkMethod(config, { service: service.typeName, method }));
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config };
}

/** `rules[0].when: …` */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  return problems
    .map(({ path, message }) => {
      const place = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
      return place === "" ? message : `${place.replace(/^\./, "")}: ${message}`;
    })
    .join("; ");
}

/** What a change does, in words. */
import { isDeepStrictEqual } from "node:util";
import type { PolicyChange } from "@koala/protocol";
import type { PolicyConfig } from "../config/index.ts";
import type { Attachment } from "./attachment.ts";
import { specOf } from "./revision-text.ts";

/** The differences of two lists of attachments, in the order of the second; what is gone comes first. */
export function changesBetween(
  before: readonly Attachment[],
  after: readonly Attachment[],
): PolicyChange[] {
  const changes: PolicyChange[] = [];
  for (const { policy } of before) {
    if (after.some((other) => other.policy.name === policy.name)) continue;
    changes.push({ kind: "detached", policy: policy.name, detail: `${policy.use} is gone` });
  }
  for (const next of after) {
    const old = before.find((other) => other.policy.name === next.policy.name);
    changes.push(...(old === undefined ? [attached(next)] : changesOf(old, next)));
  }
  return changes;
}

/** Whether the code of a policy is another one now. */
export function hasOtherCode(old: Attachment, next: Attachment): boolean {
  return old.module.compiled.path !== next.module.compiled.path;
}

function attached({ policy, module }: Attachment): PolicyChange {
  const state = policy.enabled ? "" : ", disabled";
  const { version } = module.definition;
  const detail = `${policy.use} ${version}, order ${policy.order}${state}, for ${describeMatch(policy)}`;
  return { kind: "attached", policy: policy.name, detail };
}

function changesOf(old: Attachment, next: Attachment): PolicyChange[] {
  const changes: PolicyChange[] = [];
  const add = (kind: PolicyChange["kind"], detail: string): void => {
    changes.push({ kind, policy: next.policy.name, detail });
  };
  const [a, b] = [old.policy, next.policy];
  if (hasOtherCode(old, next)) {
    const from = `${a.use} ${old.module.definition.version}`;
    add("upgraded", `${from} → ${b.use} ${next.module.definition.version}`);
  }
  if (a.enabled !== b.enabled) add(b.enabled ? "enabled" : "disabled", `order ${b.order}`);
  if (a.order !== b.order) add("reordered", `order ${a.order} → ${b.order}`);
  if (!isSame(a.match, b.match)) add("rematched", `${describeMatch(a)} → ${describeMatch(b)}`);
  const keys = changedKeys(a.config, b.config).map((key) => `config.${key}`);
  // Read as something else than before: a file that it names has changed.
  const isSameText = keys.length === 0 && !hasOtherCode(old, next);
  const isReadAnew = isSameText && !isDeepStrictEqual(old.config, next.config);
  const settings = [
    ...(isReadAnew ? ["a file that config names"] : keys),
    ...(a.onFailure === b.onFailure ? [] : [`on_failure ${a.onFailure} → ${b.onFailure}`]),
    ...(a.budgetMicros === b.budgetMicros
      ? []
      : [`budget ${specOf(a).budget} → ${specOf(b).budget}`]),
  ];
  const isAnew = old.id !== next.id && a.enabled && b.enabled;
  if (settings.length > 0) {
    add("reconfigured", settings.join(", ") + (isAnew ? "; it starts anew" : ""));
  }
  return changes;
}

function changedKeys(a: PolicyConfig["config"], b: PolicyConfig["config"]): string[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].filter((key) => !isSame(a[key], b[key]));
}

/** `service geo.*, side client`. */
function describeMatch({ match }: PolicyConfig): string {
  const parts = Object.entries(match).map(([key, value]) => {
    if (Array.isArray(value)) return `${key} ${value.join(" or ")}`;
    return `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  return parts.length === 0 ? "all calls" : parts.join(", ");
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A list of policies as text, and what two texts differ in. */
import type { PolicySpec } from "@koala/protocol";
import { stringify } from "smol-toml";
import { formatDuration, type PolicyConfig } from "../config/index.ts";

/** A policy as somebody would have attached it, with nothing left to defaults. */
export function specOf(policy: PolicyConfig): PolicySpec {
  const { name, use, match, order, enabled, onFailure, budgetMicros, config } = policy;
  return {
    name,
    use,
    match: matchOf(match),
    order,
    enabled,
    onFailure,
    budget: formatDuration(budgetMicros),
    config,
  };
}

/** The match of a policy, with a single text where the list has one. */
export function matchOf(match: PolicyConfig["match"]): NonNullable<PolicySpec["match"]> {
  const entries = Object.entries(match).map(([key, value]) => [
    key,
    Array.isArray(value) && value.length === 1 ? (value[0] as string) : value,
  ]);
  return Object.fromEntries(entries) as NonNullable<PolicySpec["match"]>;
}

/** Policies as koala.toml would have them. */
export function textOf(policies: readonly PolicySpec[]): string {
  const tables = policies.map(({ onFailure, ...policy }) => ({ ...policy, on_failure: onFailure }));
  return tables.length === 0 ? "" : stringify({ policy: tables });
}

/** Lines that are the same (` `), only in the first text (`-`) or only in the second (`+`). */
export function diffLines(before: string, after: string): string[] {
  const a = linesOf(before);
  const b = linesOf(after);
  // Longest common subsequence from each pair of positions on; texts are as long as a configuration.
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(` ${a[i]}`);
      i++;
      j++;
    } else if (
      j >= b.length ||
      (i < a.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push(`-${a[i]}`);
      i++;
    } else {
      lines.push(`+${b[j]}`);
      j++;
    }
  }
  return lines;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.trimEnd().split("\n");
}

/** `koalactl policy list` for people. */
import type { PolicyMatch, PolicyStatus } from "@koala/protocol";
import type { Output } from "./output.ts";
import type { Column, Tone } from "./table.ts";

/** What the list shows. */
export const policyColumns: readonly Column<PolicyStatus>[] = [
  { title: "ORDER", cell: (row) => row.order },
  { title: "NAME", cell: (row) => row.name },
  { title: "USE", cell: (row) => row.use },
  { title: "VERSION", cell: (row) => row.version },
  { title: "FROM", cell: (row) => row.origin },
  { title: "STATE", cell: (row) => row.state, tone: (row) => toneOf(row.state) },
  { title: "ON FAILURE", cell: (row) => row.onFailure },
  { title: "MATCH", cell: (row) => formatMatch(row.match) },
  { title: "COUNTERS", cell: (row) => formatCounters(row.counters) },
];

function toneOf(state: PolicyStatus["state"]): Tone {
  if (state === "active") return "good";
  return state === "quarantined" ? "bad" : "faint";
}

/** As `--match` takes it; `everything` when nothing is said. */
export function formatMatch({ labels = {}, ...match }: PolicyMatch): string {
  const parts = Object.entries(match).flatMap(([key, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${key}=${one}`),
  );
  parts.push(...Object.entries(labels).map(([key, value]) => `label.${key}=${value}`));
  return parts.length === 0 ? "everything" : parts.join(",");
}

function formatCounters(counters: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counters).map(([name, count]) => `${name} ${count}`);
  return parts.length === 0 ? "-" : parts.join(", ");
}

/** Why policies do not act, below the list. */
export function noteFailures(policies: readonly PolicyStatus[], output: Output): void {
  if (output.format === "json") return;
  for (const { name, state, failure, onFailure } of policies) {
    if (state !== "quarantined") continue;
    const calls = onFailure === "open" ? "calls pass without it" : "its calls are refused";
    output.note(`${name} was taken out, ${calls}: ${failure}`);
  }
}

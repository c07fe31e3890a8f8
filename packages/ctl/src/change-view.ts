/** What a change did and what it cost, for people. */
import type { ChangeAnswer, PolicyChange, RuntimeCost } from "@koala/protocol";
import type { Output } from "./output.ts";
import { formatMicros } from "./quantity.ts";
import { type Column, formatTable, type Tone } from "./table.ts";

const changeColumns: readonly Column<PolicyChange>[] = [
  { title: "CHANGE", cell: (row) => row.kind, tone: (row) => toneOf(row.kind) },
  { title: "POLICY", cell: (row) => row.policy },
  { title: "DETAIL", cell: (row) => row.detail || "-" },
];

const costColumns: readonly Column<RuntimeCost>[] = [
  { title: "RUNTIME", cell: (row) => row.runtime },
  { title: "PAUSE", cell: (row) => formatMicros(row.pauseMicros) },
  { title: "PREPARED IN", cell: (row) => formatMicros(row.prepareMicros) },
  { title: "BINDINGS", cell: (row) => row.bindings },
  { title: "OPEN CALLS", cell: (row) => row.openCalls },
  { title: "MOVED", cell: (row) => row.moved },
];

function toneOf(kind: PolicyChange["kind"]): Tone {
  if (kind === "attached" || kind === "enabled") return "good";
  return kind === "detached" || kind === "disabled" ? "bad" : "plain";
}

/** Prints the answer to a change; what is good to know besides goes to stderr. */
export function printChange(answer: ChangeAnswer, output: Output): void {
  if (output.format === "json") {
    output.json(answer);
    return;
  }
  const { dryRun, changes, runtimes, revision, needsRestart, notes } = answer;
  for (const line of formatTable(changeColumns, changes, output.paint)) {
    if (changes.length > 0) output.line(line);
  }
  if (runtimes.length > 0 && !dryRun && changes.length > 0) {
    output.line("");
    for (const line of formatTable(costColumns, runtimes, output.paint)) output.line(line);
  }
  for (const key of needsRestart) {
    output.note(
      `${key} differs from what runs: it needs a restart or \`koalactl upgrade --daemon\``,
    );
  }
  for (const note of notes) output.note(note);
  if (dryRun) output.note(`nothing has been changed; the daemon is at revision ${revision}`);
  else if (changes.length === 0) output.note(`nothing to change; revision ${revision}`);
  else output.note(`revision ${revision}`);
}

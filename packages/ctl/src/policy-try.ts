/** `koalactl policy try`: what policies would do to the calls that are made now, without attaching them. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { TriedPolicy, TryPolicyAnswer, TryVerdict } from "@koala/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { postAdmin } from "./admin-client.ts";
import { type ContextOf, parseCount, readText } from "./context.ts";
import type { Output } from "./output.ts";
import { formatDuration, parseDuration } from "./quantity.ts";
import { type Column, formatTable } from "./table.ts";

interface TryFlags {
  for: number;
  calls: number;
}

const policyColumns: readonly Column<TriedPolicy>[] = [
  { title: "POLICY", cell: (row) => row.name },
  { title: "USE", cell: (row) => row.use },
  { title: "SEEN", cell: (row) => row.seen },
  { title: "DENIED", cell: (row) => row.denied, tone: (row) => (row.denied > 0 ? "bad" : "plain") },
  { title: "HELD", cell: (row) => row.held },
];

const verdictColumns: readonly Column<TryVerdict>[] = [
  { title: "CALLS", cell: (row) => row.calls },
  { title: "WOULD BE", cell: (row) => row.verdict },
  { title: "POLICY", cell: (row) => row.policy },
  { title: "RULE", cell: (row) => row.rule || "-" },
  { title: "CALLER", cell: (row) => row.caller },
  { title: "METHOD", cell: (row) => `${row.service}/${row.method}` },
  {
    title: "WHY",
    cell: (row) => (row.status === "" ? row.message : `${row.status}: ${row.message}`),
  },
  { title: "SUCH AS", cell: (row) => row.examples[0] ?? "-" },
];

/** Adds the command. */
export function addTryCommand(policy: Command, contextOf: ContextOf): void {
  policy
    .command("try")
    .description("what policies would do to the calls of the next seconds; nothing is changed")
    .argument("<policy>", "a file of TOML with [[policy]], or the name of an attached policy")
    .addOption(
      new Option("--for <time>", "how long to record calls, 1m at most")
        .argParser(parseFor)
        .default(10_000, "10s"),
    )
    .addOption(
      new Option("--calls <n>", "end after so many calls").argParser(parseCount).default(10_000),
    )
    .action(async (text: string, { for: forMs, calls }: TryFlags) => {
      const { prefix, output } = contextOf();
      const isFile = text.endsWith(".toml") || text.includes("/") || existsSync(text);
      const file = resolve(text);
      const wanted = isFile
        ? { toml: { text: readText(`@${file}`, "the policies"), file } }
        : { name: text };
      if (output.format === "table") {
        output.note(`recording calls for ${formatDuration(forMs)}; nothing is changed`);
      }
      const request = { ...wanted, forMs: Math.round(forMs), callsMax: Math.max(1, calls) };
      print(await postAdmin(prefix, "/v1/policies/try", request), output);
    });
}

function print(answer: TryPolicyAnswer, output: Output): void {
  if (output.format === "json") {
    output.json(answer);
    return;
  }
  const { recordedMs, calls, missed, policies, verdicts, notes } = answer;
  const seconds = (recordedMs / 1000).toFixed(1);
  const left = missed > 0 ? `, ${missed} more were too many or too large` : "";
  output.line(
    `recorded ${calls} calls in ${seconds} s${left}, and ran the policies over the copies`,
  );
  output.line("");
  for (const line of formatTable(policyColumns, policies, output.paint)) output.line(line);
  if (verdicts.length > 0) {
    output.line("");
    const byCalls = [...verdicts].sort((a, b) => b.calls - a.calls);
    for (const line of formatTable(verdictColumns, byCalls, output.paint)) output.line(line);
  }
  for (const { name, failure } of policies) {
    if (failure !== "") output.note(`${name} was not tried on all calls: ${failure}`);
  }
  for (const note of notes) output.note(note);
}

function parseFor(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= 60_000) return ms;
  throw new InvalidArgumentError("Expected a time with a unit, 1m at most: 500ms, 10s, 1m.");
}

/** `koalactl apply` and `koalactl config …`: koala.toml again, and the revisions of what runs. */
import type { DiffAnswer, RevisionSummary } from "@koala/protocol";
import type { Command } from "commander";
import { askAdmin, postAdmin } from "./admin-client.ts";
import { printChange } from "./change-view.ts";
import { type ContextOf, dryRunOption, parseCount } from "./context.ts";
import type { Output } from "./output.ts";
import { type Column, printable } from "./table.ts";

const revisionColumns: readonly Column<RevisionSummary>[] = [
  { title: "REVISION", cell: (row) => row.revision },
  { title: "NOW", cell: (row) => (row.isCurrent ? "*" : ""), tone: () => "good" },
  { title: "TIME", cell: (row) => row.time },
  { title: "BY", cell: (row) => whoOf(row.who) },
  { title: "POLICIES", cell: (row) => row.policies },
  { title: "CHANGE", cell: (row) => row.summary },
];

function whoOf({ uid, pid, via }: RevisionSummary["who"]): string {
  return uid < 0 ? via : `${via}, user ${uid}, process ${pid}`;
}

/** Adds the commands. */
export function addConfigCommands(program: Command, contextOf: ContextOf): void {
  program
    .command("apply")
    .description("read koala.toml again, and apply what can change while the daemon runs")
    .option("--reset", "drop what was attached, detached and set by hand")
    .addOption(dryRunOption())
    .action(async ({ reset = false, dryRun = false }: { reset?: boolean; dryRun?: boolean }) => {
      const { prefix, output } = contextOf();
      printChange(await postAdmin(prefix, "/v1/config/apply", { dryRun, reset }), output);
    });
  const config = program.command("config").description("revisions of what the daemon applies");
  config
    .command("history")
    .description("revisions that are kept, newest first")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/config/history");
      output.list(answer, answer.revisions, revisionColumns, "there are no revisions yet");
    });
  config
    .command("diff")
    .description("what differs between two revisions")
    .argument("[from]", "revision (default: the one before TO)", parseCount)
    .argument("[to]", "revision (default: the current one)", parseCount)
    .action(async (from: number | undefined, to: number | undefined) => {
      const { prefix, output } = contextOf();
      const query = {
        ...(from === undefined ? {} : { from: String(from) }),
        ...(to === undefined ? {} : { to: String(to) }),
      };
      printDiff(await askAdmin(prefix, "/v1/config/diff", query), output);
    });
  config
    .command("rollback")
    .description("apply an earlier revision again, as a new one")
    .argument("<revision>", "as `koalactl config history` shows it", parseCount)
    .addOption(dryRunOption())
    .action(async (revision: number, { dryRun = false }: { dryRun?: boolean }) => {
      const { prefix, output } = contextOf();
      printChange(await postAdmin(prefix, "/v1/config/rollback", { revision, dryRun }), output);
    });
}

function printDiff(answer: DiffAnswer, output: Output): void {
  if (output.format === "json") {
    output.json(answer);
    return;
  }
  if (answer.lines.length === 0) {
    output.note(`revisions ${answer.from} and ${answer.to} have the same policies`);
    return;
  }
  output.note(`from revision ${answer.from} to ${answer.to}`);
  for (const line of answer.lines) {
    const tone = line.startsWith("+") ? "good" : line.startsWith("-") ? "bad" : "plain";
    output.line(output.paint(tone, printable(line)));
  }
}

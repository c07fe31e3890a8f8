/** `koalactl upgrade`: new code for a module, or a new program for the whole daemon. */
import { resolve } from "node:path";
import type { DaemonUpgradeAnswer, UpgradeStep } from "@koala/protocol";
import { type Command, Option } from "commander";
import { postAdmin } from "./admin-client.ts";
import { printChange } from "./change-view.ts";
import { type ContextOf, dryRunOption } from "./context.ts";
import { usageError } from "./exit-code.ts";
import type { Output } from "./output.ts";
import { moduleOf } from "./policy-flags.ts";
import { formatBytes, formatMicros } from "./quantity.ts";
import { type Column, formatTable, printable } from "./table.ts";

interface UpgradeFlags {
  daemon?: boolean;
  path?: string;
  program?: string;
  dryRun?: boolean;
}

const stepColumns: readonly Column<UpgradeStep>[] = [
  { title: "STEP", cell: (row) => row.step },
  { title: "TOOK", cell: (row) => formatMicros(row.ms * 1000) },
];

/** Adds the command. */
export function addUpgradeCommand(program: Command, contextOf: ContextOf): void {
  program
    .command("upgrade")
    .description("replace the code of a module, or the daemon, while calls are in flight")
    .argument("[module]", "as `use` in koala.toml names it")
    .option(
      "--path <file>",
      "where the new code of the module is (default: where the old came from)",
    )
    .option("--daemon", "start the daemon's program anew, and hand everything over to it")
    .addOption(
      new Option("--program <file>", "the daemon's new program (default: the one that runs)"),
    )
    .addOption(dryRunOption())
    .action(async (module: string | undefined, flags: UpgradeFlags) => {
      const { prefix, output } = contextOf();
      const { daemon = false, path, program: file, dryRun = false } = flags;
      if (daemon) {
        if (module !== undefined || path !== undefined) {
          throw usageError("--daemon upgrades the daemon itself: leave out MODULE and --path");
        }
        const program = file === undefined ? {} : { program: resolve(file) };
        const answer = await postAdmin(prefix, "/v1/upgrade/daemon", { dryRun, ...program });
        printUpgrade(answer, output);
        return;
      }
      if (module === undefined) {
        throw usageError(
          "say what to upgrade: koalactl upgrade MODULE, or koalactl upgrade --daemon",
        );
      }
      if (file !== undefined) throw usageError("--program goes with --daemon only; see --path");
      const where = path === undefined ? {} : { path: resolve(path) };
      const request = { module: moduleOf(module), ...where, dryRun };
      printChange(await postAdmin(prefix, "/v1/upgrade", request), output);
    });
}

function printUpgrade(answer: DaemonUpgradeAnswer, output: Output): void {
  if (output.format === "json") {
    output.json(answer);
    return;
  }
  const { dryRun, from, to, moved, pauseMs, callsInFlight, failed, steps, program } = answer;
  const facts: [string, string][] = [
    ["program", program],
    ["from", `koalad ${from.version}, process ${from.pid}`],
    ["to", `koalad ${to.version}, process ${to.pid}`],
    [
      dryRun ? "to move" : "moved",
      `${moved.apps} apps, ${moved.links} links, ${moved.calls} calls, ${moved.policies} policies on ${moved.runtimes} runtimes`,
    ],
    [
      "with",
      `${moved.messages} messages on their way, ${moved.descriptors} descriptors, ${formatBytes(moved.bytes)} of state`,
    ],
    ["in flight", `${callsInFlight} calls`],
  ];
  if (!dryRun) facts.push(["pause", `${pauseMs.toFixed(1)} ms`], ["failed", String(failed)]);
  for (const [name, text] of facts) {
    output.line(`${output.paint("faint", name.padEnd(9))}  ${printable(text)}`);
  }
  if (steps.length > 0) output.line("");
  if (steps.length > 0)
    for (const line of formatTable(stepColumns, steps, output.paint)) output.line(line);
  if (dryRun) output.note("nothing has been changed");
}

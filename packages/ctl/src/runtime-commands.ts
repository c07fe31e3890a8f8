/** `koalactl runtimes`: the threads that calls run on. */
import type { MoveAnswer, RuntimeReport } from "@koala/protocol";
import type { Command } from "commander";
import { askAdmin, postAdmin } from "./admin-client.ts";
import { type ContextOf, parseCount } from "./context.ts";
import type { Output } from "./output.ts";
import { formatMicros } from "./quantity.ts";
import type { Column } from "./table.ts";

const columns: readonly Column<RuntimeReport>[] = [
  { title: "RUNTIME", cell: (row) => row.index },
  {
    title: "STATE",
    cell: (row) => row.state,
    tone: (row) => (row.state === "running" ? "good" : "bad"),
  },
  { title: "MODE", cell: (row) => row.mode },
  { title: "CPUS", cell: (row) => (row.cpus.length === 0 ? "any" : row.cpus.join(",")) },
  { title: "LOAD", cell: (row) => `${(row.load * 100).toFixed(1)} %` },
  { title: "APPS", cell: (row) => row.apps },
  { title: "LINKS", cell: (row) => row.links },
  { title: "ENGINES", cell: (row) => row.engines },
  { title: "OPEN CALLS", cell: (row) => row.openCalls },
  { title: "ROUNDS/S", cell: (row) => Math.round(row.roundsPerSecond) },
  { title: "SLEEPS/S", cell: (row) => Math.round(row.sleepsPerSecond) },
  { title: "WAKE-UPS/S", cell: (row) => Math.round(row.wakeupsPerSecond) },
  { title: "CPU", cell: (row) => `${row.cpuSeconds.toFixed(2)} s` },
  { title: "RESTARTS", cell: (row) => row.restarts },
];

/** Adds the commands. */
export function addRuntimeCommands(program: Command, contextOf: ContextOf): void {
  const runtimes = program
    .command("runtimes")
    .description("threads that calls run on: load, sleeps, wake-ups")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/runtimes");
      output.list(answer, answer.runtimes, columns, "there are no runtimes");
      if (output.format === "json") return;
      const { mode, affinity, rebalance, notes } = answer;
      output.note(`mode ${mode}, affinity ${affinity}, rebalance ${rebalance}`);
      for (const note of notes) output.note(note);
      for (const { index, restarts, lastFailure } of answer.runtimes) {
        if (restarts > 0) output.note(`runtime ${index} was started again: ${lastFailure}`);
      }
    });
  runtimes
    .command("move")
    .description("serve an app on another runtime from now on")
    .argument("<app>", "its ID, as `koalactl apps` shows it", parseCount)
    .argument("<runtime>", "index of the runtime", parseCount)
    .action(async (app: number, runtime: number) => {
      const { prefix, output } = contextOf();
      printMove(await postAdmin(prefix, "/v1/runtimes/move", { app, runtime }), output);
    });
}

function printMove(answer: MoveAnswer, output: Output): void {
  if (output.format === "json") {
    output.json(answer);
    return;
  }
  const { app, from, to, pauseMicros, callsInFlight, failed } = answer;
  output.line(`app ${app}: runtime ${from} → ${to}`);
  const cost = `pause ${formatMicros(pauseMicros)}, ${callsInFlight} calls in flight, ${failed} failed`;
  output.line(cost);
}

/**
 * Measures `Nearest` through several systems that take turns in short rounds, so that a machine that slows
 * down or speeds up in the meantime does so for all of them.
 */
import type { DemoProcess } from "./demo-process.ts";
import type { MeasuredSystem } from "./demo-table.ts";
import type { Figures } from "./measurement.ts";

const roundCount = 4;
const roundMs = 200;
/** Long enough for the compiler to settle on each side. */
const warmUpMs = 200;
/** A round or a start that takes so much longer than planned hangs. */
const roundDeadlineMs = 15_000;

/** A system and the load process (`load.ts`) that calls it. */
export interface ComparedSystem {
  readonly title: string;
  readonly load: DemoProcess;
}

/** Runs all rounds; `onRound` is told after each, for the display. Takes about 6 s for three systems. */
export async function compareSystems(
  systems: readonly ComparedSystem[],
  onRound: () => void,
): Promise<MeasuredSystem[]> {
  for (const { load } of systems) await load.line(/^ready$/, roundDeadlineMs);
  for (const { load } of systems) {
    await runRound(load, `latency ${warmUpMs}`);
    await runRound(load, `rate ${warmUpMs}`);
    await runRound(load, "reset");
  }
  for (let round = 0; round < roundCount; round++) {
    for (const verb of ["latency", "rate"]) {
      for (const { load } of systems) await runRound(load, `${verb} ${roundMs}`);
    }
    onRound();
  }
  const measured: MeasuredSystem[] = [];
  for (const { title, load } of systems) {
    load.endInput();
    const [json] = await load.line(/^\{.*\}$/, roundDeadlineMs);
    measured.push({ title, figures: JSON.parse(json) as Figures });
  }
  return measured;
}

async function runRound(load: DemoProcess, command: string): Promise<void> {
  load.tell(command);
  await load.line(/^ok$/, roundDeadlineMs);
}

/**
 * One measured client: `load.js koala` (through the daemon in KOALA_PREFIX) or `load.js grpc HOST:PORT`.
 *
 * It works on command, so that the demo can let several systems take turns: each line on stdin is
 * `latency MS`, `rate MS` or `reset` and is answered with `ok`. At the end of stdin it prints the figures of
 * all rounds as one line of JSON.
 */
import { createInterface } from "node:readline";
import { openTarget } from "./load-target.ts";
import { createMeasurement, type Measurement } from "./measurement.ts";
import { placesAround } from "./places.ts";

async function obey(measurement: Measurement, command: string): Promise<void> {
  const [verb, durationMs] = command.split(" ");
  if (verb === "latency") await measurement.latencyRound(Number(durationMs));
  else if (verb === "rate") await measurement.rateRound(Number(durationMs));
  else if (verb === "reset") measurement.reset();
  else throw new Error(`unknown command "${command}": expected latency MS, rate MS or reset`);
}

const [system = "", address = ""] = process.argv.slice(2);
const target = await openTarget(system, address);
try {
  const measurement = createMeasurement(target.ask, placesAround(1000));
  console.log("ready");
  for await (const command of createInterface({ input: process.stdin })) {
    await obey(measurement, command);
    console.log("ok");
  }
  console.log(JSON.stringify(measurement.figures()));
} finally {
  await target.close();
}

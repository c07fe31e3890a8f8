/**
 * What `npm start` shows: two daemons as two hosts on this machine, the geo service on one, its client on the
 * other, a few calls, and how long calls take compared with gRPC. Ends with 0 when all of it worked.
 */
import { compareSystems } from "./demo-comparison.ts";
import type { DemoProcess } from "./demo-process.ts";
import { createStage, type DemoHost, type DemoStage } from "./demo-stage.ts";
import { renderTable } from "./demo-table.ts";
import { citiesPerReply, rateInFlight } from "./measurement.ts";

const readyDeadlineMs = 20_000;
const clientDeadlineMs = 30_000;

/** Shows what is being done, and how long it took once it is done. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  process.stdout.write(`- ${what} ... `);
  const start = performance.now();
  const result = await work();
  process.stdout.write(`${((performance.now() - start) / 1000).toFixed(1)} s\n`);
  return result;
}

async function play(stage: DemoStage): Promise<void> {
  console.log("\nKoala: a typed call from one host to another, through a daemon on each\n");
  // Loads its cities while the daemons start.
  const grpcServer = stage.startProgram("gRPC server", "grpc-server.js", [], undefined);
  const hostB = await step("starting a daemon as host B", () => stage.startHost("host-b", []));
  const hostA = await step(`starting a daemon as host A, linked to ${hostB.address}`, () =>
    stage.startHost("host-a", [hostB]),
  );
  const cityCount = await step("starting the geo service on host B", async () => {
    const server = stage.startProgram("geo server", "server.js", [], hostB);
    return (await server.line(/^geo: serving (\d+) cities/, readyDeadlineMs))[1];
  });
  console.log(
    `  ${Number(cityCount).toLocaleString("en")} cities of the world in a spatial index\n`,
  );

  console.log("A client on host A asks the service on host B:\n");
  await runClient(stage, hostA);
  await compare(stage, hostA, hostB, grpcServer);
}

/** Shows what the client prints, as it prints it. */
async function runClient(stage: DemoStage, host: DemoHost): Promise<void> {
  const client = stage.startProgram("geo client", "client.js", [], host);
  await client.finish((line) => console.log(line === "" ? "" : `  ${line}`), clientDeadlineMs);
}

async function compare(
  stage: DemoStage,
  hostA: DemoHost,
  hostB: DemoHost,
  grpcServer: DemoProcess,
): Promise<void> {
  const [, address] = await grpcServer.line(/over gRPC on (\S+:\d+)$/, readyDeadlineMs);
  const loads = [
    ["two daemons over TCP", stage.startProgram("load A", "load.js", ["koala"], hostA)],
    ["same host, one daemon", stage.startProgram("load B", "load.js", ["koala"], hostB)],
    ["grpc-js, direct", stage.startProgram("load gRPC", "load.js", ["grpc", address!], undefined)],
  ] as const;
  const measured = await step("measuring three systems in turn", () =>
    compareSystems(
      loads.map(([title, load]) => ({ title, load })),
      () => process.stdout.write(". "),
    ),
  );
  console.log(
    `\nNearest with ${citiesPerReply} cities in the reply: calls/s with ${rateInFlight} in flight; p50 and p99 with one in flight\n`,
  );
  console.log(renderTable(measured).replaceAll(/^/gm, "  "));
  console.log("");
}

/** Ctrl-C and the like: everything is stopped in order, then the demo ends as such signals end programs. */
function stopOnSignals(stage: DemoStage): () => boolean {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  let interrupted = false;
  for (const [signal, number] of Object.entries(numbers)) {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      console.log("\nstopping ...");
      void stage.close().finally(() => process.exit(128 + number));
    });
  }
  return () => interrupted;
}

const stage = await createStage();
const isInterrupted = stopOnSignals(stage);
try {
  await play(stage);
  await step("stopping everything", () => stage.close());
} catch (error) {
  // While it is being interrupted, programs that end are no failure; the signal's handler ends the demo.
  if (!isInterrupted()) {
    console.error(`\n\n${stage.tails()}\nThe demo failed: ${(error as Error).message}`);
    process.exitCode = 1;
  }
} finally {
  await stage.close();
}

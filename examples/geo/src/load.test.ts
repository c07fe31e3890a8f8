import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { DemoProcess } from "./demo-process.ts";
import type { Figures } from "./measurement.ts";

const deadlineMs = 30_000;

function start(name: string, file: string, args: readonly string[]): DemoProcess {
  return new DemoProcess(name, fileURLToPath(new URL(file, import.meta.url)), args);
}

describe("the load program", () => {
  let server: DemoProcess;
  let address: string;
  before(async () => {
    server = start("gRPC server", "grpc-server.js", []);
    address = (await server.line(/over gRPC on (\S+:\d+)$/, deadlineMs))[1]!;
  });
  after(() => server.stop());

  it("answers every command, then prints its figures and ends", async () => {
    const load = start("load", "load.js", ["grpc", address]);
    await load.line(/^ready$/, deadlineMs);
    for (const command of ["latency 20", "rate 20", "reset", "latency 50", "rate 50"]) {
      load.tell(command);
      await load.line(/^ok$/, deadlineMs);
    }
    load.endInput();
    const [json] = await load.line(/^\{.*\}$/, deadlineMs);
    await load.finish(() => {}, deadlineMs);
    const figures = JSON.parse(json) as Figures;
    assert.ok(figures.samples > 0 && figures.callsPerSecond > 0, json);
    assert.ok(figures.p50Us > 0 && figures.p99Us >= figures.p50Us, json);
  });

  for (const [what, args, command, message] of [
    ["a command that it does not know", ["grpc"], "jump 5", /unknown command "jump 5"/],
    ["a system that it does not know", ["carrier-pigeon"], "reset", /unknown system "carrier-pig/],
  ] as const) {
    it(`ends with an error for ${what}`, async () => {
      const load = start("load", "load.js", [args[0], address]);
      load.tell(command);
      await assert.rejects(
        load.finish(() => {}, deadlineMs),
        /load ended with code 1/,
      );
      assert.match(load.tail().join("\n"), message);
    });
  }
});

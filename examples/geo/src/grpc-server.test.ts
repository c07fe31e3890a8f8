import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { DemoProcess } from "./demo-process.ts";
import { connectGrpc, type GrpcGeoClient } from "./grpc-client.ts";

describe("geo over gRPC", () => {
  let server: DemoProcess;
  let geo: GrpcGeoClient;
  before(async () => {
    const program = fileURLToPath(new URL("grpc-server.js", import.meta.url));
    server = new DemoProcess("gRPC server", program, []);
    const [, address] = await server.line(/over gRPC on (\S+:\d+)$/, 30_000);
    geo = connectGrpc(address!);
  });
  after(async () => {
    geo.close();
    await server.stop();
  });

  it("answers like the service behind it", async () => {
    const { cities } = await geo.nearest({ lat: 46.94809, lon: 7.44744, limit: 2 });
    assert.equal(cities.length, 2);
    const { name, country, featureCode, distanceKm } = cities[0]!;
    assert.deepEqual([name, country, featureCode, distanceKm], ["Bern", "CH", "PPLC", 0]);
    assert.ok(cities[1]!.distanceKm! > 0);
  });

  it("ends a refused call with the handler's status", async () => {
    await assert.rejects(geo.nearest({ lat: 91, lon: 0, limit: 1 }), {
      code: 3,
      message: /lat is 91/,
    });
  });
});

/** What can be called, and the descriptors of it, for programs that have no generated code. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromJson, toJson } from "@bufbuild/protobuf";
import { KoalaError, type ServiceOffer } from "@koala/mrpc";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { startCluster, startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen } from "../stage/kitchen.ts";

const service = Kitchen.typeName;

function instancesOf(services: readonly ServiceOffer[], name: string): number {
  return services.find((offer) => offer.name === name)?.instances ?? 0;
}

describe("discovery", { timeout: 120_000 }, () => {
  it("describes a service of the same host, whichever runtime serves it, well enough to call it", async (t) => {
    const daemon = await startDaemon(t, { daemonKeys: "runtimes = 2" });
    await startKitchen(t, daemon);
    for (let i = 0; i < 2; i++) {
      const mesh = await connectTo(t, daemon);
      const desc = await mesh.describe(service, "kitchen");
      assert.equal(desc.typeName, service);
      assert.deepEqual(
        desc.methods.map((method) => method.name),
        Kitchen.methods.map((method) => method.name),
      );
      const client = mesh.client(desc, "kitchen") as Record<
        string,
        (request: unknown) => Promise<never>
      >;
      const { echo } = desc.method;
      const request = fromJson(echo!.input, { text: "by name" });
      const reply = toJson(echo!.output, await client["echo"]!(request)) as { text: string };
      assert.equal(reply.text, "by name");
      // Descriptors of the generated code and those that came are different objects.
      assert.equal((await mesh.client(Kitchen, "kitchen").echo({ text: "typed" })).text, "typed");
    }
  });

  it("describes a service of a peer, by its daemon's word, under its name or any", async (t) => {
    const { a, b } = await startCluster(t, { daemonKeys: "runtimes = 2" });
    await startKitchen(t, b);
    const mesh = await connectTo(t, a);
    await until("the offer is known", async () => (await mesh.services()).length > 0);
    assert.equal((await mesh.describe(service)).typeName, service);
    assert.equal((await mesh.describe(service, "kitchen")).typeName, service);
    const code = (expected: string) => (error: unknown) =>
      error instanceof KoalaError && error.code === expected;
    await assert.rejects(mesh.describe(service, "cellar"), code("ERR_DESCRIBE_SERVICE"));
    await assert.rejects(mesh.describe("no.such.Service"), code("ERR_DESCRIBE_SERVICE"));
    await mesh.close();
    await assert.rejects(mesh.describe(service), code("ERR_MESH_CLOSED"));
  });

  it("tells of each change, also while the daemon is replaced", async (t) => {
    const { a, b } = await startCluster(t);
    const mesh = await connectTo(t, a);
    let heard: readonly ServiceOffer[] = [];
    let times = 0;
    const stop = mesh.watchServices((services) => {
      heard = services;
      times++;
    });
    await until("the first list", () => times > 0);
    assert.equal(heard.length, 0);
    const first = await startKitchen(t, b);
    await until("one instance", () => instancesOf(heard, "kitchen") === 1);
    await startKitchen(t, a);
    await until("two instances", () => instancesOf(heard, "kitchen") === 2);
    assert.deepEqual(heard[0]!.service, service);
    await a.upgrade();
    await first.kill();
    await until("one instance less", () => instancesOf(heard, "kitchen") === 1);
    assert.equal((await mesh.describe(service)).typeName, service);
    stop();
    const before = times;
    await startKitchen(t, a);
    await until("it is offered", async () => instancesOf(await mesh.services(), "kitchen") === 2);
    assert.equal(times, before);
  });
});

/** How calls end that don't succeed: who decided, and what the caller is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type MetadataEntry, RpcError, Status, statusName } from "@koala/mrpc";
import { until } from "@koala/testing";
import { Cellar, Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { assertBytes, pattern } from "../stage/byte-patterns.ts";
import { startDaemon } from "../stage/cluster.ts";
import {
  connectTo,
  describeKitchen,
  startKitchen,
  startTopology,
  untilPrinted,
} from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";

const kiB = 1024;

describeKitchen("outcomes", (stage) => {
  for (const status of Object.values(Status)) {
    if (status === Status.OK) continue;
    it(`tells the caller ${statusName(status)} as the handler threw it`, async () => {
      const trailers: MetadataEntry[][] = [];
      const details = pattern(300, status);
      const call = stage().kitchen.fail(
        { status, message: `größer ${status}`, details, trailer: `why ${status}` },
        { onTrailerEntries: (entries) => trailers.push(entries) },
      );
      const error = await rejection(call);
      assert.equal(error.status, status);
      assert.equal(error.statusName, statusName(status));
      assert.equal(error.code, `ERR_RPC_${statusName(status)}`);
      assert.equal(error.reason, `größer ${status}`);
      assert.equal(error.origin, "remote-app");
      assert.deepEqual(error.details, details);
      assert.deepEqual(error.metadata, [["x-why", `why ${status}`]]);
      assert.deepEqual(trailers, [[["x-why", `why ${status}`]]]);
    });
  }

  it("tells UNKNOWN for an error that is no RpcError, and the server logs it", async () => {
    const error = await rejection(stage().kitchen.fail({ status: 0, message: "burnt" }));
    assert.equal(error.status, Status.UNKNOWN);
    assert.equal(error.origin, "remote-app");
    assert.match(error.reason, /burnt/);
    await untilPrinted(stage().child, /handler of test\.v1\.Kitchen\/Fail threw: TypeError: burnt/);
  });

  it("refuses a request that cannot be written, and names the field", async () => {
    const numbers = ["many"] as unknown as number[];
    const error = await rejection(stage().kitchen.echo({ numbers }));
    assert.equal(error.status, Status.INVALID_ARGUMENT);
    assert.equal(error.origin, "app");
    assert.match(error.message, /numbers/);
  });

  it("tells INTERNAL for a reply that cannot be written, and names the field", async () => {
    const error = await rejection(stage().kitchen.make({ broken: true }));
    assert.equal(error.status, Status.INTERNAL);
    assert.equal(error.origin, "remote-app");
    assert.match(error.message, /numbers/);
    assert.equal((await stage().kitchen.echo({ text: "next" })).text, "next");
  });

  it("tells UNIMPLEMENTED for a method without a handler", async () => {
    const error = await rejection(stage().kitchen.forget({}));
    assert.equal(error.status, Status.UNIMPLEMENTED);
    assert.match(error.message, /Forget/);
  });

  it("tells UNIMPLEMENTED for a service that the name is not served with", async () => {
    const error = await rejection(stage().mesh.client(Cellar, "kitchen").fetch({}));
    assert.equal(error.status, Status.UNIMPLEMENTED);
    assert.equal(error.origin, "local-daemon");
    assert.match(error.message, /"kitchen".*test\.v1\.Cellar/);
  });

  it("tells UNAVAILABLE for a name that nobody serves, and what was tried", async () => {
    const error = await rejection(stage().mesh.client(Kitchen, "canteen").echo({}));
    const { client, server } = stage();
    assert.equal(error.status, Status.UNAVAILABLE);
    assert.equal(error.origin, "local-daemon");
    assert.ok(error.retryable);
    assert.match(error.message, /nobody serves "canteen"/);
    if (client === server) assert.match(error.message, /serves kitchen.*no peers are configured/);
    else assert.match(error.message, /this host serves nothing; b.* serves kitchen/);
  });

  it("tells errors that are RpcErrors, with status and message", async () => {
    await assert.rejects(
      stage().kitchen.fail({ status: Status.NOT_FOUND, message: "no soup" }),
      (error) => error instanceof RpcError && error.message === "NOT_FOUND: no soup",
    );
  });
});

describeKitchen(
  "limits.message",
  (stage) => {
    it("is named when a request is larger", async () => {
      const error = await rejection(stage().kitchen.echo({ data: new Uint8Array(300 * kiB) }));
      assert.equal(error.status, Status.RESOURCE_EXHAUSTED);
      assert.equal(error.origin, "app");
      assert.equal(error.retryable, false);
      assert.match(error.message, /limits\.message = 256 KiB.*\[limits\] message/);
    });

    it("is named when a reply is larger", async () => {
      for (const size of [{ dataBytes: 300 * kiB }, { textLength: 200 * kiB }]) {
        const error = await rejection(stage().kitchen.make(size));
        assert.equal(error.status, Status.RESOURCE_EXHAUSTED);
        assert.equal(error.origin, "remote-app");
        assert.match(error.message, /limits\.message = 256 KiB.*\[limits\] message/);
      }
    });

    it("lets smaller messages pass afterwards", async () => {
      const data = pattern(250 * kiB, 8);
      const { data: returned } = await stage().kitchen.echo({ data });
      assertBytes(returned, data);
    });
  },
  { config: '[limits]\nmessage = "256KiB"' },
);

describe("routes", { timeout: 120_000 }, () => {
  it("tells which peers were tried and why they are not connected", async (t) => {
    const free = await startDaemon(t, { name: "gone" });
    await free.stop();
    const daemon = await startDaemon(t, { name: "a", peers: [free, "127.0.0.1:9"] });
    const mesh = await connectTo(t, daemon);
    const error = await rejection(mesh.client(Kitchen, "kitchen").echo({}, { timeoutMs: 15_000 }));
    assert.equal(error.status, Status.UNAVAILABLE);
    assert.equal(error.origin, "local-daemon");
    assert.match(error.message, /nobody serves "kitchen": this host serves nothing/);
    assert.match(error.message, new RegExp(`gone \\(${free.address}\\).*ECONNREFUSED`));
    assert.match(error.message, /127\.0\.0\.1:9\b.*ECONNREFUSED/);
  });

  for (const hosts of [2, 1]) {
    it(`with waitForReady a call waits for its server, ${hosts} hosts`, async (t) => {
      const { client, server } = await startTopology(t, hosts);
      const kitchen = (await connectTo(t, client)).client(Kitchen, "kitchen");
      const impatient = rejection(kitchen.echo({}, { waitForReady: true, timeoutMs: 100 }));
      assert.equal((await impatient).status, Status.DEADLINE_EXCEEDED);
      const waiting = kitchen.echo({ text: "late" }, { waitForReady: true });
      await until("the call waits", async () => (await client.status()).counters.openCalls === 1);
      await startKitchen(t, server);
      assert.equal((await waiting).text, "late");
    });
  }
});

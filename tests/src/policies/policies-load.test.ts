// Policies come and go while 128 calls are in flight: no call fails, none is overtaken.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "@koala/mrpc";
import type { PolicySpec } from "@koala/protocol";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin, postAdmin } from "../stage/admin.ts";
import { atEnd, type Daemon } from "../stage/cluster.ts";
import { connectTo, startTopology } from "../stage/kitchen.ts";

const inFlight = 128;
const changes = 200;

/** Policies that look at every call, and let every call pass. */
const passing: readonly PolicySpec[] = [
  { name: "one", use: "null" },
  {
    name: "two",
    use: "acl",
    config: {
      default: "allow",
      rules: [{ name: "never", effect: "deny", method: "Echo", when: 'request.text == "never"' }],
    },
  },
  { name: "three", use: "concurrency", config: { limit: 100_000 } },
];

interface Load {
  /** Serials in the order in which the server saw them. */
  readonly seen: bigint[];
  stop(): Promise<{ calls: number; failures: unknown[] }>;
}

/** Keeps so many calls in flight, each with the next serial. */
async function startLoad(
  t: Parameters<typeof atEnd>[0],
  client: Daemon,
  server: Daemon,
): Promise<Load> {
  const seen: bigint[] = [];
  const serving = await connect({ prefix: server.prefix, name: "server" });
  atEnd(t, () => serving.close({ graceMs: 0 }));
  await serving.serve({ name: "counter" }, (router) => {
    router.service(Kitchen, {
      echo: (dish) => {
        seen.push(dish.serial);
        return dish;
      },
    });
  });
  const mesh = await connectTo(t, client);
  const kitchen = mesh.client(Kitchen, "counter");
  await kitchen.echo({ serial: 0n }, { waitForReady: true, timeoutMs: 20_000 });
  let serial = 0n;
  let calls = 0;
  let running = true;
  const failures: unknown[] = [];
  const loop = async (): Promise<void> => {
    while (running) {
      const mine = ++serial;
      try {
        const reply = await kitchen.echo({ text: "on and on", serial: mine });
        assert.equal(reply.serial, mine);
        calls++;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const loops = Promise.all(Array.from({ length: inFlight }, loop));
  const stop = async (): Promise<{ calls: number; failures: unknown[] }> => {
    running = false;
    await loops;
    return { calls, failures };
  };
  return { seen, stop };
}

function assertInOrder(seen: readonly bigint[]): void {
  for (let i = 1; i < seen.length; i++) {
    if (seen[i]! !== seen[i - 1]! + 1n) {
      assert.fail(`call ${seen[i]} came after ${seen[i - 1]}, as number ${i}`);
    }
  }
}

for (const hosts of [2, 1]) {
  describe(`policies under load, ${hosts === 2 ? "two daemons" : "one daemon"}`, () => {
    it(`${changes} changes, ${inFlight} calls in flight: nothing is lost and nothing overtaken`, async (t) => {
      const { client, server } = await startTopology(t, hosts);
      const load = await startLoad(t, client, server);
      const attached = new Set<string>();
      const daemons = [...new Set([client, server])];
      for (let change = 0; change < changes; change++) {
        const policy = passing[change % passing.length]!;
        const { name = "" } = policy;
        const daemon = daemons[Math.floor(change / 7) % daemons.length]!;
        const key = `${daemon.name} ${name}`;
        const answer = attached.has(key)
          ? await postAdmin(daemon.prefix, "/v1/policies/detach", { name })
          : await postAdmin(daemon.prefix, "/v1/policies/attach", { policy });
        if (!attached.delete(key)) attached.add(key);
        assert.equal(answer.changes.length, 1);
        if (change % 20 === 0) {
          const calls = load.seen.length;
          await until("calls go on", () => load.seen.length > calls + inFlight);
        }
      }
      const { calls, failures } = await load.stop();
      assert.deepEqual(failures, []);
      assert.ok(calls > changes, `${calls} calls`);
      assertInOrder(load.seen);
      for (const daemon of daemons) {
        const { policies } = await askAdmin(daemon.prefix, "/v1/policies");
        for (const { failure } of policies) assert.equal(failure, "");
      }
    });

    it("policies are configured, reordered and upgraded under load", async (t) => {
      const { client, server } = await startTopology(t, hosts);
      const load = await startLoad(t, client, server);
      for (const policy of passing) {
        await postAdmin(client.prefix, "/v1/policies/attach", { policy });
      }
      for (let round = 0; round < 20; round++) {
        await postAdmin(client.prefix, "/v1/policies/set", {
          name: "one",
          order: 1 + (round % 2) * 900,
        });
        await postAdmin(client.prefix, "/v1/policies/set", {
          name: "three",
          config: { limit: 100_000 + round },
        });
        await postAdmin(client.prefix, "/v1/policies/set", {
          name: "two",
          enabled: round % 2 === 1,
        });
        await postAdmin(client.prefix, "/v1/upgrade", { module: "null" });
      }
      const { calls, failures } = await load.stop();
      assert.deepEqual(failures, []);
      assert.ok(calls > 0);
      assertInOrder(load.seen);
    });
  });
}

// What policies do to real calls, over TCP between two daemons and within one.
import assert from "node:assert/strict";
import { it } from "node:test";
import { Status } from "@koala/interface";
import type { RpcError } from "@koala/mrpc";
import type { PolicySpec } from "@koala/protocol";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin, postAdmin } from "../stage/admin.ts";
import type { Daemon } from "../stage/cluster.ts";
import { connectTo, describeKitchen, startKitchen } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";

const mib = 1 << 20;

/** Attaches policies for as long as `run` takes. */
async function withPolicies(
  daemon: Daemon,
  policies: readonly PolicySpec[],
  run: () => Promise<void>,
): Promise<void> {
  for (const policy of policies) await postAdmin(daemon.prefix, "/v1/policies/attach", { policy });
  try {
    await run();
  } finally {
    for (const { name, use } of policies) {
      await postAdmin(daemon.prefix, "/v1/policies/detach", { name: name ?? use });
    }
  }
}

/** Sums over all runtimes. */
async function countersOf(daemon: Daemon, policy: string): Promise<Record<string, number>> {
  const { policies } = await askAdmin(daemon.prefix, "/v1/policies");
  const found = policies.find(({ name }) => name === policy);
  assert.ok(found !== undefined, `${policy} is attached`);
  return found.counters;
}

function trailer(error: RpcError, key: string): unknown {
  return error.metadata.find((entry) => entry[0] === key)?.[1];
}

const denyPoison = {
  default: "allow",
  rules: [{ name: "no-poison", effect: "deny", method: "Echo", when: 'request.text == "poison"' }],
};

describeKitchen("policies", (stage) => {
  for (const side of ["client", "server"] as const) {
    it(`a denial on the ${side}'s side names policy, rule and request`, async () => {
      const { kitchen, client, server } = stage();
      const spec: PolicySpec = { name: "guard", use: "acl", match: { side }, config: denyPoison };
      await withPolicies(side === "client" ? client : server, [spec], async () => {
        const error = await rejection(kitchen.echo({ text: "poison" }));
        assert.equal(error.status, Status.PERMISSION_DENIED);
        assert.equal(error.origin, "policy");
        assert.match(error.message, /denied by policy guard, rule no-poison; request \S+\)/);
        assert.equal(trailer(error, "koala-policy"), "guard");
        assert.equal(trailer(error, "koala-rule"), "no-poison");
        assert.match(String(trailer(error, "koala-request-id")), /^[0-9a-f]{8}-\d+-\w+$/);
        assert.equal((await kitchen.echo({ text: "bread" })).text, "bread");
      });
      assert.equal((await kitchen.echo({ text: "poison" })).text, "poison", "it is detached");
    });
  }

  it("messages of every size get through a policy that reads them", async () => {
    const { kitchen, client, server } = stage();
    const spec: PolicySpec = { name: "reader", use: "acl", config: denyPoison };
    await withPolicies(client, [spec], async () => {
      if (server !== client)
        await postAdmin(server.prefix, "/v1/policies/attach", { policy: spec });
      for (const size of [0, 1, 4095, 4096, 70_000, 3 * mib]) {
        const data = new Uint8Array(size).fill(7);
        const reply = await kitchen.echo({ text: "bread", data, moreData: data });
        assert.ok(Buffer.compare(reply.data, data) === 0, `${size} bytes`);
        assert.ok(Buffer.compare(reply.moreData, data) === 0, `${size} bytes, twice`);
        const error = await rejection(kitchen.echo({ text: "poison", data }));
        assert.equal(error.status, Status.PERMISSION_DENIED);
      }
      if (server !== client) {
        await postAdmin(server.prefix, "/v1/policies/detach", { name: "reader" });
      }
    });
  });

  it("a held call waits, and may be given up meanwhile", async () => {
    const { kitchen, client } = stage();
    const config = { delay: { time: "150ms" } };
    await withPolicies(client, [{ use: "fault", match: { side: "client" }, config }], async () => {
      const startedAt = performance.now();
      const data = new Uint8Array(100_000).fill(3);
      const calls = Array.from({ length: 20 }, (_, i) => kitchen.echo({ text: `${i}`, data }));
      const impatient = rejection(kitchen.echo({ text: "never" }, { timeoutMs: 40 }));
      const replies = await Promise.all(calls);
      assert.ok(performance.now() - startedAt >= 140);
      assert.deepEqual(
        replies.map(({ text }) => text),
        Array.from({ length: 20 }, (_, i) => `${i}`),
      );
      assert.equal((await impatient).status, Status.DEADLINE_EXCEEDED);
      assert.equal((await countersOf(client, "fault"))["given_up"], 1);
    });
  });

  it("calls that a policy holds go on when it is detached", async () => {
    const { kitchen, client } = stage();
    const config = { delay: { time: "60s" } };
    let calls: Promise<unknown>[] = [];
    await withPolicies(client, [{ use: "fault", match: { side: "client" }, config }], async () => {
      calls = Array.from({ length: 10 }, () => kitchen.echo({ text: "patience" }));
      await until("they are held", async () => (await countersOf(client, "fault"))["held"] === 10);
    });
    await Promise.all(calls);
  });

  it("retry tries again, the caller sees one call", async () => {
    const { kitchen, client } = stage();
    const policies: PolicySpec[] = [
      {
        use: "retry",
        match: { side: "client" },
        order: 1,
        config: { idempotent: ["Echo"], attempts: 6 },
      },
      {
        use: "fault",
        match: { side: "client" },
        order: 2,
        config: { seed: 5, abort: { probability: 0.4 } },
      },
    ];
    // What `fault` denies is not attempted again, so the failures have to come from the far side.
    await withPolicies(client, policies.slice(0, 1), async () => {
      const data = new Uint8Array(300_000).fill(9);
      const replies = await Promise.all(
        Array.from({ length: 40 }, (_, i) => kitchen.echo({ text: `${i}`, data })),
      );
      assert.deepEqual(
        replies.map(({ text }) => text),
        Array.from({ length: 40 }, (_, i) => `${i}`),
      );
      assert.ok(replies.every((reply) => reply.data.length === data.length));
      const found = (await askAdmin(client.prefix, "/v1/policies")).policies[0];
      assert.equal(found!.failure, "");
      assert.equal((await rejection(kitchen.fail({ status: Status.NOT_FOUND }))).status, 5);
    });
  });

  it("mirror sends copies, and the call does not notice", async () => {
    const { kitchen, client, server, ending } = stage();
    const shadow = await startKitchen(ending, server, { name: "shadow" });
    const config = { target: "shadow" };
    await withPolicies(
      client,
      [{ use: "mirror", match: { side: "client", target: "kitchen" }, config }],
      async () => {
        for (let i = 0; i < 10; i++) await kitchen.echo({ text: "twice" });
        await until(
          "all copies were served",
          async () => (await countersOf(client, "mirror"))["succeeded"] === 10,
        );
      },
    );
    await shadow.stop();
    assert.equal((await kitchen.echo({ text: "on" })).text, "on");
  });

  it("balance and breaker choose among the servers of a name", async () => {
    const { client, server, ending, mesh } = stage();
    const servers = [
      await startKitchen(ending, server, { name: "chain" }),
      await startKitchen(ending, server, { name: "chain" }),
    ];
    const chain = mesh.client(Kitchen, "chain");
    const config = { method: "consistent_hash", key: 'metadata["user"]' };
    const place = client === server ? "client" : "server";
    const specs: PolicySpec[] = [
      { use: "breaker", order: 1, match: { side: place }, config: { failures: 1 } },
      { use: "balance", order: 2, match: { side: place }, config },
    ];
    await until("both serve", async () => {
      const pids = new Set<number>();
      for (let i = 0; i < 8; i++) pids.add((await chain.who({}, { waitForReady: true })).pid);
      return pids.size === 2;
    });
    await withPolicies(server, specs, async () => {
      for (const user of ["anna", "bert", "carl"]) {
        const pids = new Set<number>();
        for (let i = 0; i < 10; i++) {
          pids.add((await chain.who({}, { metadata: [["user", user]] })).pid);
        }
        assert.equal(pids.size, 1, `${user} is served by one`);
      }
    });
    for (const child of servers) await child.stop();
  });

  it("callers are known by name and labels on both sides", async () => {
    const { client, server, ending } = stage();
    const mesh = await connectTo(ending, client, { name: "guest", labels: { team: "maps" } });
    const guest = mesh.client(Kitchen, "kitchen");
    const host = client === server ? "" : "a";
    const rules = [{ name: "no-guests", effect: "deny", when: `caller.host == "${host}"` }];
    const spec: PolicySpec = {
      use: "acl",
      match: { side: "server", caller: `guest@${host}`, labels: { team: "m*" } },
      config: { default: "allow", rules },
    };
    await withPolicies(server, [spec], async () => {
      assert.equal((await rejection(guest.echo({}))).origin, "policy");
      await stage().kitchen.echo({});
    });
    await mesh.close();
  });

  it("nothing stays behind", async () => {
    const { client, server, kitchen } = stage();
    await kitchen.echo({});
    for (const daemon of [client, server]) {
      await until("no call is open", async () => (await daemon.status()).counters.openCalls === 0);
      assert.deepEqual((await askAdmin(daemon.prefix, "/v1/policies")).policies, []);
    }
  });
});

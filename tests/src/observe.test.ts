/** What operators see of calls: explain, tap, top and policies that are tried, with real daemons and apps. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RpcError, Status } from "@koala/mrpc";
import type { CallReport, CallsAnswer } from "@koala/protocol";
import { askAdmin } from "./admin.ts";
import { Kitchen } from "./gen/test/v1/kitchen_pb.ts";
import { connectTo, startKitchen, startTopology } from "./kitchen.ts";
import { rejection } from "./rejection.ts";
import { ctlJson, runCtl } from "./run-koalactl.ts";

const suite = { timeout: 180_000 };

/** A rule that denies echoes of "secret", at the server's side. */
const denySecret = `
[[policy]]
name = "guard"
use = "acl"
match = { service = "test.v1.Kitchen", side = "server" }

[policy.config]
default = "allow"

[[policy.config.rules]]
name = "no-secrets"
effect = "deny"
method = "Echo"
when = "request.text == 'secret'"
`;

function requestIdOf({ metadata }: RpcError): string {
  const id = metadata.find(([key]) => key === "koala-request-id")?.[1];
  assert.equal(typeof id, "string", "the error names the request");
  return id as string;
}

async function explained(prefix: string, id: string): Promise<CallReport> {
  const { calls } = await ctlJson<CallsAnswer>(prefix, ["explain", id]);
  assert.equal(calls.length, 1);
  return calls[0]!;
}

describe("koalactl explain", suite, () => {
  for (const hosts of [1, 2]) {
    it(`finds a denied call by the id in its error, ${hosts} host(s)`, async (t) => {
      const { client, server } = await startTopology(t, hosts, denySecret);
      await startKitchen(t, server);
      const mesh = await connectTo(t, client, { name: "web" });
      const kitchen = mesh.client(Kitchen, "kitchen");
      await kitchen.echo({ text: "fine" });
      const error = await rejection(kitchen.echo({ text: "secret" }));
      assert.equal(error.status, Status.PERMISSION_DENIED);
      const id = requestIdOf(error);
      const call = await explained(server.prefix, id);
      assert.deepEqual(
        [call.id, call.why, call.policy, call.rule, call.method, call.caller.app],
        [id, "denied", "guard", "no-secrets", "Echo", "web"],
      );
      assert.equal(call.from.kind, hosts === 1 ? "app" : "peer");
      assert.deepEqual(call.policies, ["guard (server)"]);
      assert.ok(call.hops.ended >= 0 && call.hops.replied === -1);
      const { code, stdout } = await runCtl(server.prefix, ["explain", id]);
      assert.equal(code, 0);
      assert.match(
        stdout,
        /^PERMISSION_DENIED from policy {2}test\.v1\.Kitchen\/Echo at kitchen$/m,
      );
      assert.match(stdout, /denied by guard, rule no-secrets/);
      if (hosts === 1) return;
      // The caller's daemon knows its half by the same id, and says where the other one is.
      const half = await explained(client.prefix, id);
      assert.notEqual(half.id, id);
      assert.deepEqual([half.remoteId, half.why, half.status], [id, "failed", call.status]);
      assert.equal(half.from.name, `web[${process.pid}]`);
      const there = await runCtl(client.prefix, ["explain", id]);
      assert.ok(there.stdout.includes(`koalactl explain ${id} there`), there.stdout);
      assert.ok(there.stdout.includes(`${server.name} (`), there.stdout);
    });
  }

  it("shows where the time of a slow call went", async (t) => {
    const { client } = await startTopology(t, 1);
    await startKitchen(t, client);
    const mesh = await connectTo(t, client, { name: "web" });
    const kitchen = mesh.client(Kitchen, "kitchen");
    await kitchen.wait({ key: "slow", ms: 300 });
    const { calls } = await askAdmin(client.prefix, "/v1/calls");
    const slow = calls.find(({ method }) => method === "Wait")!;
    assert.equal(slow.why, "slow");
    assert.equal(slow.status, Status.OK);
    const { sent, replied, ended } = slow.hops;
    assert.ok(sent >= 0 && sent < replied && replied <= ended, JSON.stringify(slow.hops));
    assert.ok(replied - sent >= 290_000, "the server has taken the time");
    const { stdout } = await runCtl(client.prefix, ["explain", slow.id]);
    assert.match(stdout, /handed to kitchen/);
    assert.match(stdout, /the reply came/);
    const list = await runCtl(client.prefix, ["explain"]);
    assert.ok(list.stdout.includes(slow.id), list.stdout);
  });

  it("finds a call that the daemon has ended, and says so when there is no such call", async (t) => {
    const { client } = await startTopology(t, 1);
    const mesh = await connectTo(t, client, { name: "web" });
    const error = await rejection(mesh.client(Kitchen, "nobody").echo({}));
    assert.equal(error.status, Status.UNAVAILABLE);
    const call = await explained(client.prefix, requestIdOf(error));
    assert.deepEqual([call.why, call.target, call.to], ["failed", "nobody", null]);
    assert.match(call.message, /nobody serves "nobody"/);
    const failed = await ctlJson<CallsAnswer>(client.prefix, ["explain", "--failed"]);
    assert.deepEqual(
      failed.calls.map(({ id }) => id),
      [call.id],
    );
    const { code, stderr } = await runCtl(client.prefix, ["explain", "0-0-0"]);
    assert.equal(code, 1);
    assert.match(stderr, /no record of the request 0-0-0/);
  });
});

/** What operators see of calls: explain, tap, top and policies that are tried, with real daemons and apps. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { type RpcError, Status } from "@koala/mrpc";
import type {
  CallReport,
  CallsAnswer,
  TapLine,
  TappedCall,
  TryPolicyAnswer,
} from "@koala/protocol";
import { type Child, type Ending, spawnNode, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { DepositSchema, KeySchema, Vault } from "../gen/test/v1/vault_pb.ts";
import { askAdmin } from "../stage/admin.ts";
import { atEnd, createFolder, type Daemon } from "../stage/cluster.ts";
import { connectTo, startKitchen, startTopology } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";
import { ctlJson, ctlProgram, runCtl } from "../stage/run-koalactl.ts";

/** As `koalactl top -o json` prints it; what the tests look at. */
interface Rates {
  services: {
    service: string;
    target: string;
    callsPerSecond: number;
    errorsPerSecond: number;
    bytesPerSecond: number;
    samples: number;
    p50Micros: number | null;
    p99Micros: number | null;
  }[];
  apps: {
    name: string;
    madePerSecond: number;
    servedPerSecond: number;
    errorsPerSecond: number;
    sharedBytes: number;
  }[];
  runtimes: { cpu: number }[];
}

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

/** One call in a quarter of an hour. */
const rateOfOne = `
[[policy]]
name = "slow-down"
use = "rate-limit"
match = { side = "client" }

[policy.config]
rate = 0.001
burst = 1
`;

/** A team that may not. */
const byHeader = `
[[policy]]
name = "teams"
use = "acl"
match = { side = "client" }

[policy.config]
default = "allow"

[[policy.config.rules]]
name = "not-red"
effect = "deny"
when = "'x-team' in metadata && metadata['x-team'] == 'red'"
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

interface Tap {
  readonly child: Child;
  lines(): TapLine[];
  calls(): TappedCall[];
}

/** Starts `koalactl -o json tap`; resolves once the runtimes copy calls. */
async function startTap(test: Ending, daemon: Daemon, args: readonly string[]): Promise<Tap> {
  const child = spawnNode(ctlProgram, ["--prefix", daemon.prefix, "-o", "json", "tap", ...args]);
  atEnd(test, () => child.stop());
  await child.line(/^tapping$/);
  const lines = (): TapLine[] =>
    child
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as TapLine);
  return {
    child,
    lines,
    calls: () => lines().flatMap((line) => ("call" in line ? [line.call] : [])),
  };
}

/** What is not shown, with everything around it. */
const deposit = create(DepositSchema, {
  owner: "eve",
  pin: "1234",
  key: { label: "front", teeth: new Uint8Array([1]), copyOf: { teeth: new Uint8Array([2]) } },
  spareKeys: [{ label: "a", teeth: new Uint8Array([3]) }, {}],
  keysByDoor: { back: { label: "b", teeth: new Uint8Array([4]) } },
  combination: [7, 8],
  notes: { where: "under the mat" },
  masterKey: { label: "m" },
  other: anyPack(KeySchema, create(KeySchema, { label: "any", teeth: new Uint8Array([5]) })),
  way: { case: "tunnel", value: "behind the wall" },
});

const redacted = {
  owner: "eve",
  pin: "[redacted]",
  key: { label: "front", teeth: "[redacted]", copyOf: { teeth: "[redacted]" } },
  spareKeys: [{ label: "a", teeth: "[redacted]" }, {}],
  keysByDoor: { back: { label: "b", teeth: "[redacted]" } },
  combination: "[redacted]",
  notes: "[redacted]",
  masterKey: "[redacted]",
  other: { "@type": "type.googleapis.com/test.v1.Key", label: "any", teeth: "[redacted]" },
  tunnel: "[redacted]",
};

describe("koalactl tap", suite, () => {
  for (const hosts of [1, 2]) {
    it(`shows messages without what their schema hides, ${hosts} host(s)`, async (t) => {
      const { client, server } = await startTopology(t, hosts);
      const serving = await connectTo(t, server, { name: "bank" });
      await serving.serve({ name: "vault" }, (routes) => {
        routes.service(Vault, { keep: (request) => request });
      });
      const mesh = await connectTo(t, client, { name: "web" });
      const vault = mesh.client(Vault, "vault");
      // At either end, and for each of the apps.
      for (const daemon of new Set([client, server])) {
        const tap = await startTap(t, daemon, ["test.v1.Vault/Keep", "--caller", "web*"]);
        await vault.keep(deposit);
        await until("the call is shown", () => tap.calls().length > 0);
        const [call] = tap.calls();
        assert.deepEqual(
          [call!.statusName, call!.caller.app, call!.method, call!.target],
          ["OK", "web", "Keep", "vault"],
        );
        assert.deepEqual(
          call!.requests.map(({ json }) => json),
          [redacted],
        );
        assert.deepEqual(
          call!.replies.map(({ json }) => json),
          [redacted],
        );
        assert.ok(!/1234|under the mat|behind the wall/.test(tap.child.output()));
        tap.child.kill("SIGINT");
        assert.equal((await tap.child.exit()).code, 0);
      }
    });
  }

  it("shows calls that meet a condition, and ends after as many as it is told", async (t) => {
    const { client } = await startTopology(t, 1, denySecret);
    await startKitchen(t, client);
    const kitchen = (await connectTo(t, client, { name: "web" })).client(Kitchen, "kitchen");
    const where = "request.serial > 5 && response.text != 'x'";
    const tap = await startTap(t, client, ["test.v1.Kitchen/Echo", "--where", where, "-n", "2"]);
    for (let serial = 0; serial < 8; serial++) await kitchen.echo({ serial: BigInt(serial) });
    assert.equal((await tap.child.exit()).code, 0);
    assert.deepEqual(
      tap.calls().map(({ requests }) => requests[0]!.json),
      [{ serial: "6" }, { serial: "7" }],
    );
    const wrong = await runCtl(client.prefix, [
      "tap",
      "test.v1.Kitchen",
      "--where",
      "request.no > 1",
    ]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /has no field "no"/);
    // What a policy denies is seen as well, with the reason.
    const denied = await startTap(t, client, [
      "test.v1.*",
      "--where",
      "policy == 'guard'",
      "-n",
      "1",
    ]);
    await kitchen.echo({ text: "fine" });
    await rejection(kitchen.echo({ text: "secret" }));
    assert.equal((await denied.child.exit()).code, 0);
    const [call] = denied.calls();
    assert.deepEqual([call!.rule, call!.requests[0]!.json], ["no-secrets", { text: "secret" }]);
    assert.deepEqual(call!.replies, []);
  });

  it("takes no call from those it looks at, and says what it has not shown", async (t) => {
    const { client, server } = await startTopology(t, 2);
    await startKitchen(t, server);
    const kitchen = (await connectTo(t, client, { name: "web" })).client(Kitchen, "kitchen");
    const tap = await startTap(t, client, ["test.v1.Kitchen", "--rate", "20"]);
    const data = new Uint8Array(100_000).fill(9);
    const calls = 600;
    let answered = 0;
    const work = async (worker: number): Promise<void> => {
      for (let i = worker; i < calls; i += 12) {
        const reply = await kitchen.echo(i % 10 === 0 ? { data } : { text: `${i}` });
        if (i % 10 === 0 ? reply.data.length === data.length : reply.text === `${i}`) answered++;
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, worker) => work(worker)));
    assert.equal(answered, calls);
    const seen = (): number =>
      tap
        .lines()
        .reduce((sum, line) => sum + ("call" in line ? 1 : line.gap.missed + line.gap.dropped), 0);
    await until("each call is shown or counted", () => seen() === calls);
    const large = tap.calls().find(({ requestBytes }) => requestBytes > 65_536);
    assert.match(large!.requests[0]!.problem!, /too large/);
    tap.child.kill("SIGINT");
    await tap.child.exit();
    assert.equal((await kitchen.echo({ text: "after" })).text, "after");
  });
});

describe("koalactl top", suite, () => {
  it("shows what apps and services do", async (t) => {
    const { client, server } = await startTopology(t, 2);
    await startKitchen(t, server);
    const kitchen = (await connectTo(t, client, { name: "web" })).client(Kitchen, "kitchen");
    await kitchen.echo({});
    let isOver = false;
    const load = (async () => {
      for (let i = 0; !isOver; i++) {
        if (i % 3 === 0) await rejection(kitchen.fail({ status: Status.NOT_FOUND }));
        else await kitchen.echo({ text: "x".repeat(100) });
      }
    })();
    const rates = await ctlJson<Rates>(client.prefix, ["top", "--once"]);
    const [service] = rates.services;
    assert.equal(`${service!.service} ${service!.target}`, "test.v1.Kitchen kitchen");
    const { callsPerSecond, errorsPerSecond, bytesPerSecond, samples } = service!;
    assert.ok(callsPerSecond > errorsPerSecond && errorsPerSecond > 0, JSON.stringify(service));
    assert.ok(bytesPerSecond > 100 && samples > 0);
    assert.ok(service!.p50Micros! > 0 && service!.p99Micros! >= service!.p50Micros!);
    const web = rates.apps.find(({ name }) => name === "web")!;
    assert.ok(web.madePerSecond > 0 && web.errorsPerSecond > 0 && web.sharedBytes > 0);
    assert.equal(web.servedPerSecond, 0);
    assert.ok(rates.runtimes[0]!.cpu > 0);
    // The other daemon counts the same calls as those of its peer, and its own app as who serves them.
    const there = await ctlJson<Rates>(server.prefix, ["top", "--once", "--interval", "300ms"]);
    assert.ok(there.services[0]!.callsPerSecond > 0);
    assert.ok(there.apps.some(({ servedPerSecond }) => servedPerSecond > 0));
    const table = await runCtl(client.prefix, ["top", "--once"]);
    assert.match(table.stdout, /^test\.v1\.Kitchen +kitchen +\d/m);
    assert.match(table.stdout, /^web +\d/m);
    assert.match(table.stdout, /of sampled calls/);
    isOver = true;
    await load;
  });
});

describe("koalactl policy try", suite, () => {
  it("says who would be denied by which rule, and changes nothing", async (t) => {
    const { client } = await startTopology(t, 1);
    await startKitchen(t, client);
    const kitchen = (await connectTo(t, client, { name: "web" })).client(Kitchen, "kitchen");
    await kitchen.echo({});
    const before = await askAdmin(client.prefix, "/v1/policies");
    const file = join(createFolder(t), "try.toml");
    writeFileSync(file, `${denySecret}\n${rateOfOne}\n${byHeader}`);
    const trying = ctlJson<TryPolicyAnswer>(client.prefix, [
      ...["policy", "try", file, "--for", "60s", "--calls", "40"],
    ]);
    let hasEnded = false;
    void trying.finally(() => {
      hasEnded = true;
    });
    for (let i = 0; !hasEnded; i++) {
      const metadata = i % 4 === 0 ? ([["x-team", "red"]] as const) : [];
      const text = i % 2 === 0 ? "secret" : "fine";
      assert.equal((await kitchen.echo({ text }, { metadata })).text, text);
    }
    const tried = await trying;
    assert.equal(tried.calls, 40);
    const byName = new Map(tried.policies.map((policy) => [policy.name, policy]));
    assert.equal(byName.size, 3);
    for (const { seen, failure } of tried.policies) assert.deepEqual([seen, failure], [40, ""]);
    assert.equal(byName.get("guard")!.denied, 20);
    assert.equal(byName.get("teams")!.denied, 10);
    // At the times of the recording.
    assert.equal(byName.get("slow-down")!.denied, 39);
    const secret = tried.verdicts.find(({ rule }) => rule === "no-secrets")!;
    assert.deepEqual(
      [secret.caller, secret.method, secret.calls, secret.status],
      ["web", "Echo", 20, "PERMISSION_DENIED"],
    );
    assert.equal((await explained(client.prefix, secret.examples[0]!)).method, "Echo");
    assert.deepEqual(await askAdmin(client.prefix, "/v1/policies"), before);
    assert.equal((await kitchen.echo({ text: "secret" })).text, "secret");
  });

  it("tries one that is attached, and refuses what is wrong before it records", async (t) => {
    const { client } = await startTopology(t, 1, denySecret);
    await startKitchen(t, client);
    const kitchen = (await connectTo(t, client, { name: "web" })).client(Kitchen, "kitchen");
    let isOver = false;
    const load = (async () => {
      while (!isOver) await rejection(kitchen.echo({ text: "secret" }));
    })();
    const ran = await runCtl(client.prefix, ["policy", "try", "guard", "--calls", "5"]);
    isOver = true;
    await load;
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^recorded 5 calls in .* and ran the policies over the copies$/m);
    assert.match(ran.stdout, /^guard +acl +5 +5 +0$/m);
    assert.match(ran.stdout, /denied +guard +no-secrets +web +test\.v1\.Kitchen\/Echo/);
    const unknown = await runCtl(client.prefix, ["policy", "try", "nope"]);
    assert.deepEqual(
      [unknown.code, /no policy "nope" is attached/.test(unknown.stderr)],
      [1, true],
    );
    const file = join(createFolder(t), "wrong.toml");
    writeFileSync(file, '[[policy]]\nuse = "acl"\n[policy.config]\ndefault = "maybe"\n');
    const wrong = await runCtl(client.prefix, ["policy", "try", file]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /default/);
  });
});

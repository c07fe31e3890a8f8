/** Seeing calls while there are several runtimes, and while runtimes and the daemon itself are replaced. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { connect, Status } from "@koala/mrpc";
import type { CallsAnswer, TapLine, TappedCall, TryPolicyAnswer } from "@koala/protocol";
import { serviceSchemaOf } from "@koala/schema";
import { type Child, type Ending, spawnNode, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { DepositSchema, Vault } from "../gen/test/v1/vault_pb.ts";
import { atEnd, createFolder, type Daemon, startDaemon } from "../stage/cluster.ts";
import { startFragile } from "../stage/crash.ts";
import { connectTo, startKitchen } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";
import { startRiver } from "../stage/river.ts";
import { ctlJson, ctlProgram, runCtl } from "../stage/run-koalactl.ts";

const suite = { timeout: 180_000 };

async function startTap(test: Ending, daemon: Daemon, args: readonly string[]): Promise<Child> {
  const child = spawnNode(ctlProgram, ["--prefix", daemon.prefix, "-o", "json", "tap", ...args]);
  atEnd(test, () => child.stop());
  await child.line(/^tapping$/);
  return child;
}

function tryFile(test: Ending, text: string): string {
  const file = join(createFolder(test), "try.toml");
  writeFileSync(file, text);
  return file;
}

function shown(tap: Child): TappedCall[] {
  const lines = tap.output().split("\n");
  return lines
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as TapLine)
    .flatMap((line) => ("call" in line ? [line.call] : []));
}

describe("calls between runtimes", suite, () => {
  it("are tapped once, and each runtime has a record of them", async (t) => {
    const daemon = await startDaemon(t, { daemonKeys: "runtimes = 2" });
    // One app each: whoever comes second is in the other runtime.
    await startKitchen(t, daemon);
    const kitchen = (await connectTo(t, daemon, { name: "web" })).client(Kitchen, "kitchen");
    await kitchen.echo({});
    const tap = await startTap(t, daemon, ["test.v1.Kitchen"]);
    for (let i = 0; i < 5; i++) await kitchen.echo({ text: `${i}` });
    const error = await rejection(kitchen.fail({ status: Status.NOT_FOUND, message: "no" }));
    assert.equal(error.status, Status.NOT_FOUND);
    await until("all calls are shown", () => shown(tap).length >= 6);
    assert.deepEqual(
      shown(tap).map(({ method, requests }) => [method, requests.length]),
      [...Array.from({ length: 5 }, () => ["Echo", 1]), ["Fail", 1]],
    );
    const { calls } = await ctlJson<CallsAnswer>(daemon.prefix, ["explain", "--failed"]);
    assert.deepEqual(calls.map(({ from, to, method }) => [from.kind, to?.kind, method]).sort(), [
      ["app", "runtime", "Fail"],
      ["runtime", "app", "Fail"],
    ]);
    tap.kill("SIGINT");
    assert.equal((await tap.exit()).code, 0);
  });
});

describe("a tap", suite, () => {
  it("goes on in a runtime that was made anew", async (t) => {
    const daemon = await startFragile(t);
    await startKitchen(t, daemon);
    const tap = await startTap(t, daemon, ["test.v1.Kitchen"]);
    await daemon.crash(0);
    const kitchen = (await connectTo(t, daemon, { name: "web" })).client(Kitchen, "kitchen");
    await kitchen.echo({ text: "again" }, { waitForReady: true });
    await until("the call is shown", () =>
      shown(tap).some(({ requests }) => JSON.stringify(requests[0]?.json) === '{"text":"again"}'),
    );
  });

  it("goes on at the daemon that takes over", async (t) => {
    const daemon = await startDaemon(t);
    await startKitchen(t, daemon);
    const kitchen = (await connectTo(t, daemon, { name: "web" })).client(Kitchen, "kitchen");
    const tap = await startTap(t, daemon, ["test.v1.Kitchen"]);
    await kitchen.echo({ text: "before" });
    await until("the first call is shown", () => shown(tap).length === 1);
    await daemon.upgrade();
    await tap.line(/another daemon has taken over/);
    await kitchen.echo({ text: "after" });
    await until("the second call is shown", () => shown(tap).length === 2);
  });
});

describe("a stream", suite, () => {
  it("is tapped with its first messages, and tried without them", async (t) => {
    const { daemons, river } = await startRiver(t, 2);
    const tap = await startTap(t, daemons.client, ["test.v1.River"]);
    const serials = async (count: number): Promise<number> => {
      let found = 0;
      for await (const drop of river.flow({ count, bytes: 3 })) found += drop.data.length;
      return found;
    };
    assert.equal(await serials(3), 9);
    async function* drops(): AsyncGenerator<{ serial: bigint }> {
      for (let serial = 1n; serial <= 3n; serial++) yield { serial };
    }
    await river.collect(drops());
    await until("both calls are shown", () => shown(tap).length === 2);
    const [flow, collect] = shown(tap);
    assert.deepEqual(
      [flow!.requests, flow!.replies].map((messages) => messages.map(({ json }) => json)),
      [
        [{ count: 3, bytes: 3 }],
        [{ data: "AAAA" }, { serial: "1", data: "AAAA" }, { serial: "2", data: "AAAA" }],
      ],
    );
    assert.deepEqual(
      collect!.requests.map(({ json }) => json),
      [{ serial: "1" }, { serial: "2" }, { serial: "3" }],
    );
    assert.deepEqual(
      collect!.replies.map(({ json }) => json),
      [{ count: 3, serials: "6" }],
    );
    // More than is copied.
    assert.equal(await serials(2000), 6000);
    await until("the long one is shown", () => shown(tap).length === 3);
    const long = shown(tap)[2]!;
    assert.ok(
      long.replies.length >= 8 && long.replyBytes > 6000,
      `${long.replies.length} messages`,
    );
    const trying = ctlJson<TryPolicyAnswer>(daemons.client.prefix, [
      ...["policy", "try", tryFile(t, '[[policy]]\nuse = "null"\n'), "--calls", "1"],
    ]);
    let hasEnded = false;
    void trying.finally(() => {
      hasEnded = true;
    });
    while (!hasEnded) await serials(1);
    const { policies, notes } = await trying;
    assert.equal(policies[0]!.seen, 1);
    assert.match(notes.join(), /River\/Flow is a stream/);
  });
});

describe("a policy that is tried", suite, () => {
  it("may hang: the trial fails, and calls go on", async (t) => {
    const prefix = createFolder(t);
    mkdirSync(join(prefix, "policies"));
    const code = `import { definePolicy, z } from "@koala/policy";
export default definePolicy({
  name: "hang",
  version: "1.0.0",
  config: z.strictObject({}),
  onRequest() { for (;;) {} },
});
`;
    writeFileSync(join(prefix, "policies", "hang.ts"), code);
    const config = '[modules]\ndirectories = ["policies"]\n';
    const daemon = await startDaemon(t, { prefix, config });
    await startKitchen(t, daemon);
    const kitchen = (await connectTo(t, daemon, { name: "web" })).client(Kitchen, "kitchen");
    const path = join(prefix, "policies", "hang.ts");
    const file = tryFile(t, `[[policy]]\nname = "hang"\nuse = ${JSON.stringify(path)}\n`);
    const trying = runCtl(prefix, ["policy", "try", file, "--calls", "1"]);
    let hasEnded = false;
    void trying.finally(() => {
      hasEnded = true;
    });
    for (let i = 0; !hasEnded; i++) {
      assert.equal((await kitchen.echo({ text: `${i}` })).text, `${i}`);
    }
    const { code: exit, stderr } = await trying;
    assert.equal(exit, 1);
    assert.match(stderr, /the trial has failed, nothing has changed: it took longer/);
    assert.equal((await kitchen.echo({ text: "after" })).text, "after");
  });
});

describe("a field that must not be shown", suite, () => {
  it("is not, when only one of the apps has marked it", async (t) => {
    const daemon = await startDaemon(t);
    // Built from a file without the options: the same layout, so the same schema for the daemon.
    const set = fromBinary(FileDescriptorSetSchema, serviceSchemaOf(Vault).descriptorSet);
    for (const { messageType } of set.file) {
      for (const { field } of messageType) for (const one of field) delete one.options;
    }
    const unmarked = createFileRegistry(
      fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set)),
    ).getService(Vault.typeName)!;
    const serving = await connect({ prefix: daemon.prefix, name: "bank" });
    atEnd(t, () => serving.close({ graceMs: 0 }));
    await serving.serve({ name: "vault" }, (routes) => {
      routes.service(unmarked as typeof Vault, { keep: (request) => request });
    });
    const mesh = await connectTo(t, daemon, { name: "web" });
    const tap = await startTap(t, daemon, ["test.v1.Vault"]);
    await mesh.client(Vault, "vault").keep(create(DepositSchema, { owner: "eve", pin: "1234" }));
    await until("the call is shown", () => shown(tap).length > 0);
    const [call] = shown(tap);
    const expected = { owner: "eve", pin: "[redacted]" };
    assert.deepEqual(call!.requests[0]!.json, expected);
    assert.deepEqual(call!.replies[0]!.json, expected);
    assert.ok(!tap.output().includes("1234"));
  });
});

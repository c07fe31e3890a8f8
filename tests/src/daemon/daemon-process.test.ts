import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Child, spawnNode, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin } from "../stage/admin.ts";
import { atEnd, createFolder, startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen, untilPrinted } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";

const startDeadlineMs = 60_000;

/** A daemon that need not come up. */
function startAttempt(test: TestContext, args: readonly string[]): Child {
  const program = fileURLToPath(import.meta.resolve("@koala/daemon/main"));
  const env = { KOALA_LOG: "warn", KOALA_LOG_FILE: "", KOALA_LOG_FORMAT: "text" };
  const child = spawnNode(program, args, { env });
  atEnd(test, () => child.stop());
  return child;
}

/** It said one sentence that matches, and ended with the code. */
async function assertRefused(child: Child, code: number, sentence: RegExp): Promise<void> {
  assert.deepEqual(await child.exit(), { code, signal: null }, child.output());
  const lines = child.output().trimEnd().split("\n");
  assert.equal(lines.length, 1, child.output());
  assert.match(lines[0]!, sentence);
}

/** A daemon with a call in flight that its server holds. */
async function startHeldCall(t: TestContext, daemonKeys: string) {
  const daemon = await startDaemon(t, { daemonKeys });
  const server = await startKitchen(t, daemon);
  const mesh = await connectTo(t, daemon);
  const call = mesh.client(Kitchen, "kitchen").wait({ key: "held" });
  call.catch(() => {}); // whoever awaits it sees the rejection all the same
  await untilPrinted(server, /^began held$/m);
  return { daemon, server, mesh, call };
}

test("SIGTERM waits for calls in flight and takes no new apps", async (t) => {
  const { daemon, server, call } = await startHeldCall(t, 'drain = "1m"');
  const stopped = daemon.stop();
  await untilPrinted(daemon.child, / draining/);
  await assert.rejects(connectTo(t, daemon, { waitMs: 200 }));
  server.write("release held");
  assert.equal((await call).text, "waited held");
  assert.deepEqual(await stopped, { code: 0, signal: null });
  assert.doesNotMatch(daemon.log(), /cut off/);
  assert.deepEqual(readdirSync(daemon.prefix), ["koala.toml"]);
});

test("SIGTERM waits for a call no longer than drain says", async (t) => {
  const { daemon, call } = await startHeldCall(t, 'drain = "200ms"');
  const lost = rejection(call);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  assert.equal((await lost).statusName, "UNAVAILABLE");
  assert.match(daemon.log(), /calls were cut off/);
});

test("a second signal stops at once", async (t) => {
  for (const second of ["SIGTERM", "SIGINT"] as const) {
    const { daemon, call } = await startHeldCall(t, 'drain = "1h"');
    const lost = rejection(call);
    daemon.child.kill("SIGTERM");
    await untilPrinted(daemon.child, / draining/);
    daemon.child.kill(second);
    assert.deepEqual(await daemon.child.exit(), { code: 0, signal: null });
    assert.equal((await lost).statusName, "UNAVAILABLE");
    assert.deepEqual(readdirSync(daemon.prefix), ["koala.toml"]);
  }
});

test("a signal while it starts ends a daemon in order", async (t) => {
  const prefix = createFolder(t);
  const child = startAttempt(t, ["--prefix", prefix, "--listen", ""]);
  await until("its control socket is there", () => existsSync(join(prefix, "koala.sock")));
  child.kill("SIGTERM");
  assert.deepEqual(await child.exit(), { code: 0, signal: null }, child.output());
  assert.deepEqual(readdirSync(prefix), []);
});

test("a port that is taken", async (t) => {
  const first = await startDaemon(t);
  const prefix = join(createFolder(t), "second");
  const child = startAttempt(t, ["--prefix", prefix, "--listen", first.address]);
  await assertRefused(child, 1, new RegExp(`^koalad: .*${first.address}`));
  assert.deepEqual(readdirSync(prefix), []);
});

test("a prefix that another daemon uses", async (t) => {
  const first = await startDaemon(t);
  const child = startAttempt(t, ["--prefix", first.prefix, "--listen", ""]);
  await assertRefused(
    child,
    1,
    new RegExp(
      `^koalad: ${first.prefix}: another koalad \\(process ${first.pid}\\) serves it; use another --prefix`,
    ),
  );
  assert.equal((await first.status()).state, "running");
  await connectTo(t, first);
});

test("of daemons that start at the same moment exactly one serves", async (t) => {
  const prefix = join(createFolder(t), "prefix");
  // From the second round on there is what a killed daemon has left.
  for (let round = 0; round < 6; round++) {
    const children = [1, 2, 3].map(() => startAttempt(t, ["--prefix", prefix, "--listen", ""]));
    const served: Child[] = [];
    await Promise.all(
      children.map(async (child) => {
        const ready = child.line(/^koalad: ready/, startDeadlineMs).then(
          () => served.push(child),
          () => {}, // it has ended without that line
        );
        await Promise.race([ready, child.exit()]);
      }),
    );
    const [winner, ...more] = served;
    assert.ok(winner !== undefined && more.length === 0, children.map((c) => c.output()).join());
    for (const child of children) {
      if (child === winner) continue;
      await assertRefused(child, 1, /another koalad(, which has just started,| \(process \d+\))/);
    }
    assert.equal((await askAdmin(prefix, "/v1/status")).pid, winner.pid);
    assert.equal(readFileSync(join(prefix, "koalad.lock"), "utf8"), `${winner.pid}\n`);
    process.kill(winner.pid, round === 5 ? "SIGTERM" : "SIGKILL");
    await winner.exit();
  }
  assert.deepEqual(readdirSync(prefix), []);
});

test("the lock of a prefix goes along in an upgrade", async (t) => {
  const first = await startDaemon(t);
  await first.upgrade();
  const pid = first.currentPid();
  assert.notEqual(pid, first.pid);
  const child = startAttempt(t, ["--prefix", first.prefix, "--listen", ""]);
  await assertRefused(child, 1, new RegExp(`another koalad \\(process ${pid}\\) serves it`));
  await first.stop();
  assert.deepEqual(readdirSync(first.prefix), ["koala.toml"]);
});

test("a prefix that can't be made", async (t) => {
  const file = join(createFolder(t), "file");
  writeFileSync(file, "");
  const child = startAttempt(t, ["--prefix", join(file, "prefix"), "--listen", ""]);
  await assertRefused(child, 1, /^koalad: can't use .*file\/prefix: ENOTDIR/);
});

test("a prefix that is too long for a socket", async (t) => {
  const prefix = join(createFolder(t), "x".repeat(120));
  const child = startAttempt(t, ["--prefix", prefix, "--listen", ""]);
  await assertRefused(child, 2, /^--prefix: prefix must be a path of at most \d+ bytes/);
});

test("a prefix where a file is in the way", async (t) => {
  const prefix = createFolder(t);
  mkdirSync(join(prefix, "koala.sock"));
  const child = startAttempt(t, ["--prefix", prefix, "--listen", ""]);
  await assertRefused(child, 1, /^koalad: can't listen at .*koala\.sock: /);
  assert.deepEqual(readdirSync(prefix), ["koala.sock"]);
});

test("a peer whose host is unknown", async (t) => {
  const prefix = createFolder(t);
  const config = join(prefix, "koala.toml");
  writeFileSync(config, '[[peer]]\naddress = "no-such-host.invalid:4500"\n');
  const child = startAttempt(t, ["--prefix", prefix, "--listen", "", "--config", config]);
  await assertRefused(child, 1, /^koalad: .*the host "no-such-host\.invalid" has no address/);
  assert.deepEqual(readdirSync(prefix), ["koala.toml"]);
});

test("a configuration that is wrong", async (t) => {
  const config = join(createFolder(t), "koala.toml");
  writeFileSync(config, "[daemon]\nruntime = 2\n");
  const child = startAttempt(t, ["--config", config]);
  assert.deepEqual(await child.exit(), { code: 2, signal: null });
  assert.match(child.output(), /koala\.toml:2:1.*runtime/);
  assert.equal((await startAttempt(t, ["--no-such-flag"]).exit()).code, 2);
});

test("the sockets of a killed daemon are replaced", async (t) => {
  const first = await startDaemon(t);
  assert.deepEqual(await first.kill(), { code: null, signal: "SIGKILL" });
  const left = ["admin.sock", "koala.sock", "koala.toml", "koalad.lock", "koalad.pid"];
  assert.deepEqual(readdirSync(first.prefix).sort(), left);
  const second = await startDaemon(t, { prefix: first.prefix });
  await connectTo(t, second);
  assert.equal((await second.status()).counters.apps, 1);
  await second.stop();
  assert.deepEqual(readdirSync(first.prefix), ["koala.toml"]);
});

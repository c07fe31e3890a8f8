/** The daemon's process is replaced while apps and peers are at work. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Client, connect } from "@koala/mrpc";
import { until } from "@koala/testing";
import type { Kitchen as KitchenService } from "../gen/test/v1/kitchen_pb.ts";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { assertBytes, pattern } from "../stage/byte-patterns.ts";
import { createFolder, type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen, untilPrinted } from "../stage/kitchen.ts";
import { type Load, startLoad } from "../stage/load.ts";

const suiteMs = 400_000;

async function upgrade(daemon: Daemon): Promise<void> {
  const before = daemon.currentPid();
  const answer = await daemon.upgrade();
  assert.equal(answer.from.pid, before);
  assert.equal(answer.failed, 0);
  await until("the new process serves", () => daemon.currentPid() === answer.to.pid);
  assert.notEqual(answer.to.pid, before);
}

/** Nothing is lost, nothing is out of order, and it went on after the last upgrade. */
async function assertUnharmed(load: Load): Promise<void> {
  const { done } = load;
  await until("calls after the last upgrade", () => load.done > done + 500);
  const { failures, disorder } = await load.stop();
  assert.deepEqual(failures, []);
  assert.deepEqual(disorder, []);
}

describe("upgrade of the daemon", { timeout: suiteMs }, () => {
  it("leaves an idle app attached, and takes new ones", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const server = await startKitchen(t, daemon);
    const kitchen = mesh.client(Kitchen, "kitchen");
    assert.equal((await kitchen.echo({ text: "before" })).text, "before");
    const before = await daemon.status();
    await upgrade(daemon);
    const after = await daemon.status();
    assert.deepEqual(
      after.runtimes[0]!.apps.map(({ id, pid }) => [id, pid]),
      before.runtimes[0]!.apps.map(({ id, pid }) => [id, pid]),
    );
    assert.equal((await kitchen.echo({ text: "after" })).text, "after");
    const other = await connectTo(t, daemon);
    assert.equal((await other.client(Kitchen, "kitchen").echo({ text: "new" })).text, "new");
    assert.equal(server.output(), "serving\n");
  });

  it("loses none of 128 calls in flight on one host, and keeps their order", async (t) => {
    const daemon = await startDaemon(t);
    const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 128 });
    for (let i = 0; i < 3; i++) {
      await until("calls", () => load.done > 1000 * (i + 1));
      await upgrade(daemon);
    }
    await assertUnharmed(load);
  });

  it("loses none of 128 calls between two hosts, whose daemons are both upgraded", async (t) => {
    const { a, b } = await startCluster(t);
    const load = await startLoad(t, { client: a, server: b, inFlight: 128 });
    for (let i = 0; i < 3; i++) {
      await until("calls", () => load.done > 1000 * (2 * i + 1));
      await upgrade(a);
      await until("calls", () => load.done > 1000 * (2 * i + 2));
      await upgrade(b);
    }
    await assertUnharmed(load);
  });

  it("brings messages of 1 MB that are on their way", async (t) => {
    const { a, b } = await startCluster(t);
    await startKitchen(t, b);
    const mesh = await connectTo(t, a);
    const kitchen = mesh.client(Kitchen, "kitchen");
    let isOver = false;
    let done = 0;
    const bodies = Array.from({ length: 8 }, (_, i) => pattern(1_000_001 + i, i));
    const one = async (i: number): Promise<void> => {
      while (!isOver) {
        assertBytes((await kitchen.echo({ data: bodies[i]! })).data, bodies[i]!);
        done++;
      }
    };
    const all = Promise.all(bodies.map((_, i) => one(i)));
    for (let i = 0; i < 3; i++) {
      const target = done + 8;
      await until("calls", () => done > target);
      await upgrade(i % 2 === 0 ? a : b);
    }
    const target = done + 8;
    await until("calls", () => done > target);
    isOver = true;
    await all;
  });

  it("brings the replies of handlers that were at work, and their cancellations", async (t) => {
    const { a, b } = await startCluster(t);
    const server = await startKitchen(t, b);
    const mesh = await connectTo(t, a);
    const kitchen: Client<typeof KitchenService> = mesh.client(Kitchen, "kitchen");
    const waited = kitchen.wait({ key: "one" });
    const controller = new AbortController();
    const cancelled = kitchen.wait({ key: "two" }, { signal: controller.signal });
    const late = kitchen.wait({ key: "three" }, { timeoutMs: 4000 });
    const ends = Promise.allSettled([cancelled, late]);
    for (const key of ["one", "two", "three"]) await server.line(new RegExp(`^began ${key}$`));
    await upgrade(a);
    await upgrade(b);
    controller.abort();
    await untilPrinted(server, /^aborted two/m);
    await untilPrinted(server, /^aborted three/m);
    for (const key of ["one", "two", "three"]) server.write(`release ${key}`);
    assert.equal((await waited).text, "waited one");
    const statuses = (await ends).map((end) =>
      end.status === "rejected" ? end.reason.statusName : "fulfilled",
    );
    assert.deepEqual(statuses, ["CANCELLED", "DEADLINE_EXCEEDED"]);
  });

  it("moves several runtimes and the calls between them", async (t) => {
    const daemon = await startDaemon(t, { daemonKeys: "runtimes = 2" });
    const loads = [
      await startLoad(t, { client: daemon, server: daemon, inFlight: 64, name: "one" }),
      await startLoad(t, { client: daemon, server: daemon, inFlight: 64, name: "two" }),
    ];
    for (let i = 0; i < 3; i++) {
      const targets = loads.map(({ done }) => done + 500);
      await until("calls", () => loads.every(({ done }, at) => done > targets[at]!));
      await upgrade(daemon);
    }
    for (const load of loads) await assertUnharmed(load);
  });

  it("goes on with messages of 12 MB that go both ways, larger than what may be on its way at once", async (t) => {
    const config = '[limits]\nlink_window = "8MiB"\nmessage = "16MiB"\n';
    const { a, b } = await startCluster(t, { config });
    await startKitchen(t, b);
    const mesh = await connectTo(t, a);
    const kitchen = mesh.client(Kitchen, "kitchen");
    const bodies = Array.from({ length: 3 }, (_, i) => pattern(12_000_000 + i, i));
    for (const daemon of [a, b, a]) {
      const all = bodies.map((data) => kitchen.echo({ data }, { timeoutMs: 60_000 }));
      await upgrade(daemon);
      for (const [i, { data }] of (await Promise.all(all)).entries()) assertBytes(data, bodies[i]!);
    }
  });

  it("takes apps that come, and lets go of those that leave or die, at any moment", async (t) => {
    const { a, b } = await startCluster(t);
    await startKitchen(t, b);
    let isOver = false;
    let visits = 0;
    const problems: unknown[] = [];
    const visit = async (): Promise<void> => {
      while (!isOver) {
        const mesh = await connect({ prefix: a.prefix, name: "visitor" });
        try {
          const kitchen = mesh.client(Kitchen, "kitchen");
          const text = `visit ${visits}`;
          assert.equal((await kitchen.echo({ text }, { timeoutMs: 20_000 })).text, text);
          visits++;
        } catch (error) {
          problems.push(error);
        }
        await mesh.close();
      }
    };
    const all = Promise.all([visit(), visit(), visit()]);
    for (let i = 0; i < 3; i++) {
      const dying = await startKitchen(t, a, { name: `dying ${i}` });
      const asked = upgrade(a);
      dying.kill();
      await asked;
      const target = visits + 5;
      await until("visits", () => visits > target);
    }
    isOver = true;
    await all;
    assert.deepEqual(problems, []);
    await until("nobody is left", async () => (await a.status()).runtimes[0]!.apps.length === 0);
  });

  it("keeps nothing of earlier processes", async (t) => {
    const { a, b } = await startCluster(t);
    const server = await startKitchen(t, b);
    const mesh = await connectTo(t, a);
    const kitchen = mesh.client(Kitchen, "kitchen");
    const counts: number[][] = [];
    for (let i = 0; i < 4; i++) {
      for (const daemon of [a, b]) await upgrade(daemon);
      await Promise.all(Array.from({ length: 50 }, () => kitchen.echo({ text: "on" })));
      // Regions of an earlier process go when their last block has come back.
      await until("regions of earlier processes are gone", () => regionsOf(server.pid) <= 5);
      counts.push([a, b].map((daemon) => descriptorsOf(daemon.currentPid())));
    }
    assert.deepEqual(counts[3], counts[1]);
  });

  it("tells systemd which process is the daemon", async (t) => {
    const folder = createFolder(t);
    const said = join(folder, "said");
    const program = join(folder, "systemd-notify");
    writeFileSync(program, `#!/bin/sh\necho "$@" >> "${said}"\n`, { mode: 0o755 });
    const PATH = `${folder}:${process.env["PATH"]}`;
    const daemon = await startDaemon(t, { env: { PATH, NOTIFY_SOCKET: "/run/notify" } });
    const line = (pid: number): string => `--ready --pid=${pid} MAINPID=${pid}\n`;
    const expected = (pids: number[]): Promise<void> =>
      until("what systemd is told", () => read(said) === pids.map(line).join(""));
    await expected([daemon.pid]);
    await upgrade(daemon);
    await expected([daemon.pid, daemon.currentPid()]);
  });

  it("says what would move, and moves nothing", async (t) => {
    const daemon = await startDaemon(t);
    const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 16 });
    const { to, ...answer } = await daemon.upgrade({ dryRun: true });
    assert.equal(answer.dryRun, true);
    assert.equal(answer.moved.apps, 2);
    assert.equal(daemon.currentPid(), daemon.pid);
    await until("the end of the rehearsal", () => !isThere(to.pid));
    await assertUnharmed(load);
  });

  it("goes on when the program can't take over", async (t) => {
    const daemon = await startDaemon(t);
    const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 16 });
    for (const program of ["/nowhere/koalad.js", "/bin/true"]) {
      await assert.rejects(daemon.upgrade({ program }), /can't be started|can't take over/);
    }
    assert.equal(daemon.currentPid(), daemon.pid);
    await assertUnharmed(load);
  });
});

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Descriptors that a process has open. */
function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Regions of the daemon that a process has mapped. */
function regionsOf(pid: number): number {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.filter((line) => line.includes("/memfd:koala-")).length;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

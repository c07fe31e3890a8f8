import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { atEnd, type Cluster, startCluster, startDaemon } from "./cluster.ts";

/** What `node:test` gives to a test, to be ended by hand. */
class FakeTest {
  readonly actions: (() => void | Promise<void>)[] = [];

  after(action: () => void | Promise<void>): void {
    this.actions.push(action);
  }

  async end(): Promise<void> {
    for (const action of this.actions) await action();
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a cluster is up after its start, and gone after its test", async () => {
  const fake = new FakeTest();
  let cluster: Cluster | undefined;
  try {
    cluster = await startCluster(fake);
    assert.notEqual(cluster.a.port, cluster.b.port);
    assert.ok(isRunning(cluster.a.pid) && isRunning(cluster.b.pid));
  } finally {
    await fake.end();
  }
  for (const { pid, prefix, child } of [cluster.a, cluster.b]) {
    assert.deepEqual(await child.exit(), { code: 0, signal: null });
    assert.equal(isRunning(pid), false);
    assert.equal(existsSync(prefix), false);
  }
});

test("a daemon comes back at the same place", async (t) => {
  const first = await startDaemon(t);
  assert.deepEqual(await first.kill(), { code: null, signal: "SIGKILL" });
  const second = await startDaemon(t, { prefix: first.prefix, listen: first.address });
  assert.equal(second.port, first.port);
});

test("what ends with a test ends last started first, whatever fails", async () => {
  const fake = new FakeTest();
  const order: number[] = [];
  atEnd(fake, () => order.push(1));
  atEnd(fake, () => {
    throw new Error("on purpose");
  });
  atEnd(fake, () => order.push(2));
  await assert.rejects(fake.end(), /on purpose/);
  assert.deepEqual(order, [2, 1]);
});

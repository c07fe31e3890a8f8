/** Calls that end before their handler does: the caller goes on at once, the server is told, nothing stays. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Status } from "@koala/mrpc";
import { deadlineMsDefault, freeze, until } from "@koala/testing";
import type { Daemon } from "../stage/cluster.ts";
import { describeKitchen, untilPrinted } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";

/** Small blocks that an idle app may keep until it has something else to tell its daemon. */
const keptBlocksMax = 6;

/** Everything that calls take in a daemon, summed up. */
async function usageOf(daemon: Daemon): Promise<Record<string, number>> {
  const { counters, runtimes } = await daemon.status();
  const apps = runtimes.flatMap((runtime) => runtime.apps);
  const links = runtimes.flatMap((runtime) => runtime.links);
  const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    openCalls: counters.openCalls,
    outgoing: sum(apps.map((app) => app.outgoing)),
    incoming: sum(apps.map((app) => app.incoming)),
    parked: sum(apps.map((app) => app.parked)),
    linkCalls: sum(links.map((link) => link.calls)),
    linkParked: sum(links.map((link) => link.parked)),
    receiveBlocks: sum(apps.map((app) => Math.max(0, app.receiveBlocks - keptBlocksMax))),
  };
}

/** Waits until no call is open in a daemon and no memory is taken by one. */
async function untilIdle(daemon: Daemon): Promise<void> {
  let usage: Record<string, number> = {};
  const isIdle = async (): Promise<boolean> => {
    usage = await usageOf(daemon);
    return Object.values(usage).every((number) => number === 0);
  };
  try {
    await until("idle", isIdle);
  } catch {
    assert.fail(`${daemon.name} still has ${JSON.stringify(usage)}`);
  }
}

describeKitchen("deadlines", (stage) => {
  it("timeoutMs ends the call with DEADLINE_EXCEEDED, and the server's signal is aborted", async () => {
    const startedAt = performance.now();
    const error = await rejection(stage().kitchen.wait({ key: "slow" }, { timeoutMs: 150 }));
    const took = performance.now() - startedAt;
    assert.equal(error.status, Status.DEADLINE_EXCEEDED);
    assert.ok(took >= 145, `after ${took} ms already`);
    // The bound is for a busy machine: what counts is that nobody waits for the handler, which goes on.
    assert.ok(took < deadlineMsDefault, `after ${took} ms`);
    await untilPrinted(stage().child, /^aborted slow 4 DEADLINE_EXCEEDED/m);
    assert.doesNotMatch(stage().child.output(), /^ended slow$/m);
  });

  it("the late reply is dropped, and the next calls are not touched by it", async () => {
    stage().child.write("release slow");
    await untilPrinted(stage().child, /^ended slow$/m);
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) => stage().kitchen.echo({ text: `${i}` })),
    );
    assert.deepEqual(
      replies.map(({ text }) => text),
      Array.from({ length: 50 }, (_, i) => `${i}`),
    );
  });

  it("a handler that heeds its signal ends with the deadline", async () => {
    const error = await rejection(
      stage().kitchen.wait({ key: "heeds", heed: true }, { timeoutMs: 100 }),
    );
    assert.equal(error.status, Status.DEADLINE_EXCEEDED);
    await untilPrinted(stage().child, /^ended heeds$/m);
  });

  it("a deadline that has passed already reaches nobody", async () => {
    const error = await rejection(stage().kitchen.wait({ key: "never" }, { timeoutMs: 0 }));
    assert.equal(error.status, Status.DEADLINE_EXCEEDED);
    assert.equal(error.origin, "app");
    await stage().kitchen.echo({});
    assert.doesNotMatch(stage().child.output(), /never/);
  });

  it("a call that is in time is not ended", async () => {
    const reply = await stage().kitchen.wait({ key: "fast", ms: 20 }, { timeoutMs: 60_000 });
    assert.equal(reply.text, "waited fast");
  });

  it("a daemon that hangs keeps no call beyond its deadline", async () => {
    const { client, kitchen } = stage();
    await kitchen.echo({ text: "so the service is bound" });
    await freeze(client.pid);
    const startedAt = performance.now();
    try {
      const error = await rejection(kitchen.echo({ text: "lost" }, { timeoutMs: 300 }));
      assert.equal(error.status, Status.DEADLINE_EXCEEDED);
      assert.equal(error.origin, "app");
      assert.match(error.message, /its deadline has passed, and the daemon does not answer/);
      assert.ok(performance.now() - startedAt < 2000, "in time");
    } finally {
      process.kill(client.pid, "SIGCONT");
    }
    assert.equal((await kitchen.echo({ text: "on" }, { timeoutMs: 10_000 })).text, "on");
  });

  it("AbortSignal ends the call with CANCELLED, and the server's signal is aborted", async () => {
    const abort = new AbortController();
    const call = rejection(stage().kitchen.wait({ key: "cancelled" }, { signal: abort.signal }));
    await untilPrinted(stage().child, /^began cancelled$/m);
    abort.abort();
    const error = await call;
    assert.equal(error.status, Status.CANCELLED);
    assert.equal(error.origin, "app");
    await untilPrinted(stage().child, /^aborted cancelled 1 CANCELLED/m);
    assert.doesNotMatch(stage().child.output(), /^ended cancelled$/m);
    stage().child.write("release cancelled");
  });

  it("a signal that is aborted already reaches nobody", async () => {
    const call = stage().kitchen.wait({ key: "stillborn" }, { signal: AbortSignal.abort() });
    assert.equal((await rejection(call)).status, Status.CANCELLED);
    await stage().kitchen.echo({});
    assert.doesNotMatch(stage().child.output(), /stillborn/);
  });

  it("AbortSignal.timeout ends the call with DEADLINE_EXCEEDED", async () => {
    const signal = AbortSignal.timeout(50);
    const error = await rejection(stage().kitchen.wait({ key: "timer", heed: true }, { signal }));
    assert.equal(error.status, Status.DEADLINE_EXCEEDED);
  });

  it("large messages may be given up on anywhere on their way", async () => {
    const data = new Uint8Array(6 * 1024 * 1024).fill(3);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        stage().kitchen.echo({ data }, { timeoutMs: 1 + 4 * i }),
      ),
    );
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") assert.equal(outcome.value.data.length, data.length);
      else assert.equal(outcome.reason.status, Status.DEADLINE_EXCEEDED);
    }
    const { data: returned } = await stage().kitchen.echo({ data });
    assert.ok(Buffer.compare(returned, data) === 0);
  });

  it("nothing stays behind in the daemons", async () => {
    const { kitchen, child, client, server } = stage();
    const abort = new AbortController();
    const calls = Array.from({ length: 100 }, (_, i) => {
      const limit = i % 2 === 0 ? { timeoutMs: 50 } : { signal: abort.signal };
      return rejection(kitchen.wait({ key: `many-${i}-`, heed: true }, limit));
    });
    await untilPrinted(child, /^began many-99-$/m);
    abort.abort();
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    assert.deepEqual(new Set(statuses), new Set([Status.CANCELLED, Status.DEADLINE_EXCEEDED]));
    await until("the handlers have ended", () => {
      return child.output().match(/^ended many-/gm)?.length === 100;
    });
    await untilIdle(client);
    await untilIdle(server);
  });
});

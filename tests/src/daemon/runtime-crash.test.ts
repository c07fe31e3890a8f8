/** A runtime thread fails: its datapaths end and come back, nobody else notices, nothing is left open. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { Client } from "@koala/mrpc";
import { RpcError } from "@koala/mrpc";
import { countDescriptors, countMappings, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { type Daemon, startDaemon } from "../stage/cluster.ts";
import { type FragileDaemon, runtimeOf, startFragile } from "../stage/crash.ts";
import { connectTo, startKitchen, untilPrinted } from "../stage/kitchen.ts";

const daemonKeys = "runtimes = 3";
/** Who is where. */
const config = `
[[placement]]
caller = "victim*"
runtime = 1
[[placement]]
caller = "kitchen"
runtime = 2
[[placement]]
caller = "*"
runtime = 0
`;

/** How a call ended. */
async function endOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "OK";
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return `${error.statusName} ${error.origin}`;
  }
}

/** Calls one after the other until told to stop; resolves with how many there were and how they ended. */
function callSteadily(client: Client<typeof Kitchen>): () => Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  let isStopped = false;
  const running = (async () => {
    while (!isStopped) {
      const end = await endOf(client.echo({ text: "steady" }));
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
  })();
  return async () => {
    isStopped = true;
    await running;
    return ends;
  };
}

/** What a daemon has open and mapped for its apps and links. */
function holdingsOf({ pid }: Daemon): string {
  const kinds = {
    memfds: /^\/memfd:/,
    eventfds: /eventfd/,
    epolls: /eventpoll/,
    sockets: /^socket:/,
  };
  const counts = Object.entries(kinds).map(([kind, target]) => {
    return `${kind} ${countDescriptors(pid, target)}`;
  });
  const pipes = countDescriptors(pid, /^pipe:/);
  return [...counts, `pipes ${pipes}`, `mappings ${countMappings(pid)}`].join(", ");
}

/** The same once it has not changed for some looks: connections of questions close a little later. */
async function settledHoldings(daemon: Daemon): Promise<string> {
  let last = "";
  let same = 0;
  await until("holdings that do not change", () => {
    const now = holdingsOf(daemon);
    same = now === last ? same + 1 : 0;
    last = now;
    return same === 20;
  });
  return last;
}

test("a runtime fails, and only its own datapaths with it", async (t) => {
  const daemon = await startFragile(t, { daemonKeys, config });
  const child = await startKitchen(t, daemon);
  const fragile = await startKitchen(t, daemon, { name: "victim-kitchen" });
  const bystander = await connectTo(t, daemon, { name: "bystander" });
  const victim = await connectTo(t, daemon, { name: "victim" });
  const steady = bystander.client(Kitchen, "kitchen");
  const toVictim = bystander.client(Kitchen, "victim-kitchen");
  const fromVictim = victim.client(Kitchen, "kitchen");
  for (const client of [steady, toVictim, fromVictim]) {
    assert.equal(await endOf(client.who({}, { waitForReady: true })), "OK");
  }
  assert.deepEqual(
    await Promise.all([0, 1, 2].map(async (index) => (await runtimeOf(daemon, index)).apps)),
    [1, 2, 1],
  );

  const stop = callSteadily(steady);
  const survives = endOf(steady.wait({ key: "survives" }));
  const lost = endOf(toVictim.wait({ key: "lost" }));
  const cut = endOf(fromVictim.wait({ key: "cut", heed: true }));
  await untilPrinted(child, /^began survives$/m);
  await untilPrinted(child, /^began cut$/m);
  await untilPrinted(fragile, /^began lost$/m);
  await daemon.crash(1);

  assert.equal(await lost, "UNAVAILABLE local-daemon");
  assert.equal(await cut, "UNAVAILABLE local-daemon");
  await untilPrinted(child, /^aborted cut /m);
  for (const client of [toVictim, fromVictim]) {
    await until("the victims are back", async () => {
      return (await endOf(client.who({}, { waitForReady: true, timeoutMs: 5000 }))) === "OK";
    });
  }
  child.write("release survives");
  assert.equal(await survives, "OK");
  assert.deepEqual([...(await stop()).keys()], ["OK"]);
  const report = await runtimeOf(daemon, 1);
  assert.equal(report.restarts, 1);
  assert.equal(report.lastFailure, "made to fail by a test");
  assert.equal(report.apps, 2);
  for (const index of [0, 2]) assert.equal((await runtimeOf(daemon, index)).restarts, 0);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
});

test("what a failed runtime had open is closed", async (t) => {
  const daemon = await startFragile(t, { daemonKeys, config });
  await startKitchen(t, daemon);
  const victims = await Promise.all(
    [1, 2, 3].map((number) => connectTo(t, daemon, { name: `victim-${number}` })),
  );
  const allCall = async (): Promise<void> => {
    for (const mesh of victims) {
      const call = mesh.client(Kitchen, "kitchen").echo({}, { waitForReady: true });
      assert.match(await endOf(call), /^(OK|UNAVAILABLE local-daemon)$/);
    }
    await until("all are attached", async () => (await runtimeOf(daemon, 1)).apps === 3);
  };
  await allCall();
  const before = await settledHoldings(daemon);
  for (let turn = 1; turn <= 3; turn++) {
    await daemon.crash(1);
    await allCall();
    let now = "";
    await until(`as before: ${before}`, () => {
      now = holdingsOf(daemon);
      return now === before;
    }).catch((error: unknown) => {
      throw new Error(`after ${turn} failures ${now}, before ${before}`, { cause: error });
    });
  }
});

test("a runtime with links fails, and the links come back", async (t) => {
  const far = await startFragile(t, { name: "b" });
  const near = await startDaemon(t, { name: "a", peers: [far] });
  const child = await startKitchen(t, far);
  const mesh = await connectTo(t, near);
  const kitchen = mesh.client(Kitchen, "kitchen");
  assert.equal(await endOf(kitchen.who({}, { waitForReady: true })), "OK");
  const before = await settledHoldings(far);
  for (let turn = 0; turn < 2; turn++) {
    const pending = endOf(kitchen.wait({ key: `pending${turn}`, heed: true }));
    await untilPrinted(child, new RegExp(`^began pending${turn}$`, "m"));
    await far.crash(0);
    assert.equal(await pending, "UNAVAILABLE link");
    await until("the service is back", async () => {
      return (await endOf(kitchen.who({}, { waitForReady: true, timeoutMs: 5000 }))) === "OK";
    });
  }
  await until(`as before: ${before}`, () => holdingsOf(far) === before);
});

test("a daemon that stops waits for no runtime that has failed", async (t) => {
  const daemon: FragileDaemon = await startFragile(t, { daemonKeys, config });
  const mesh = await connectTo(t, daemon, { name: "victim" });
  await daemon.crash(1);
  const stopped = daemon.stop();
  assert.deepEqual(await stopped, { code: 0, signal: null });
  await mesh.close({ graceMs: 0 });
});

test("a runtime that fails again and again ends the daemon with code 1", async (t) => {
  const daemon = await startFragile(t, { daemonKeys, config });
  daemon.crashAlways(1);
  const bystander = await connectTo(t, daemon, { name: "bystander" });
  await assert.rejects(connectTo(t, daemon, { name: "victim", waitMs: 20_000 }));
  assert.deepEqual(await daemon.child.exit(), { code: 1, signal: null });
  assert.match(
    daemon.log(),
    /^koalad: runtime 1 failed: made to fail by a test; runtimes have failed more than 5 times in 60 s$/m,
  );
  const sockets = readdirSync(daemon.prefix).filter((name) => name.endsWith(".sock"));
  assert.deepEqual(sockets, [], "its sockets are gone");
  const call = bystander.client(Kitchen, "kitchen").who({}, { timeoutMs: 200 });
  assert.match(await endOf(call), /^(UNAVAILABLE|DEADLINE_EXCEEDED) app$/);
});

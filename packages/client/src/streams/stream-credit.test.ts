import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SlotKind } from "@koala/protocol";
import { until } from "@koala/testing";
import { Gate, type StreamPair, startStreams } from "./stream-helper.test.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const window = 256 * 1024;

/** Lets everything that is ready run a few times. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

function granted({ daemon }: StreamPair, fromCallee: boolean): number[] {
  return daemon.messages
    .filter((m) => m.kind === SlotKind.CREDIT && m.fromCallee === fromCallee)
    .map((m) => m.cost);
}

for (const [what, size] of [
  ["small messages", 40],
  ["messages of 3 kB", 3000],
  ["messages of 100 kB", 100_000],
] as const) {
  test(`${what}: a reader that stops stops the source`, async (t) => {
    let asked = 0;
    const pair = await startStreams(t, {
      async *watch() {
        const body = new Uint8Array(size);
        for (asked = 1; ; asked++) yield { number: asked, body };
      },
    });
    const iterator = pair.client.watch({})[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value?.number, 1);
    let before = 0;
    await until("the source is not asked any more", async () => {
      before = asked;
      await turns(50);
      return asked === before;
    });
    assert.ok(asked * size < 2 * window + size, `${asked} messages of ${size} bytes`);
    assert.ok(asked * (size + 100) > window / 2, `${asked} messages of ${size} bytes`);
    for (let i = 2; i <= before; i++) assert.equal((await iterator.next()).value?.number, i);
    await until("the source is asked again", () => asked > before);
    assert.ok(
      granted(pair, false)
        .slice(1)
        .every((cost) => cost >= window / 4),
      "credit is granted in quarters of the window",
    );
    await iterator.return?.();
    assert.deepEqual(pair.daemon.violations, []);
  });
}

test("a handler that does not read stops the caller's requests", async (t) => {
  const hold = new Gate();
  const pair = await startStreams(t, {
    async sum(requests) {
      await hold.isOpen;
      let number = 0;
      for await (const _ of requests) number++;
      return { number };
    },
  });
  let asked = 0;
  const reply = pair.client.sum(
    (function* () {
      for (asked = 0; asked < 20_000; asked++) yield { text: "a request of some bytes" };
    })(),
  );
  await until("the requests stop", async () => {
    const before = asked;
    await turns(50);
    return asked > 0 && asked === before;
  });
  assert.ok(asked < 6000, `${asked} requests`);
  hold.open();
  assert.equal((await reply).number, 20_000);
  assert.deepEqual(pair.daemon.violations, []);
});

test("messages wait for room in the send heap", async (t) => {
  const { client, daemon, serverApp } = await startStreams(
    t,
    {
      *watch({ body }) {
        for (let number = 0; number < 12; number++) yield { number, body };
      },
    },
    { sendHeapBytesMax: 2 << 20 },
  );
  serverApp.answersGrow = false;
  const body = new Uint8Array(700_000);
  let expected = 0;
  for await (const { number } of client.watch({ body })) assert.equal(number, expected++);
  assert.equal(expected, 12);
  assert.deepEqual(daemon.violations, []);
});

test("a message larger than the daemon takes ends the call", async (t) => {
  const { client, daemon } = await startStreams(
    t,
    {
      *watch() {
        yield { number: 1 };
        yield { body: new Uint8Array(200_000) };
      },
    },
    { messageBytesMax: 100_000 },
  );
  const iterator = client.watch({})[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value?.number, 1);
  await assert.rejects(iterator.next(), {
    statusName: "RESOURCE_EXHAUSTED",
    message: /limits\.message/,
  });
  await assert.rejects(client.sum([{ body: new Uint8Array(200_000) }]), {
    statusName: "RESOURCE_EXHAUSTED",
  });
  assert.deepEqual(daemon.violations, []);
});

test("responses that nobody can iterate over any more are cancelled", async (t) => {
  let isOver = false;
  const { client, clientApp } = await startStreams(t, {
    async *watch(_request, context) {
      context.signal.addEventListener("abort", () => {
        isOver = true;
      });
      for (;;) yield {};
    },
  });
  await (async () => {
    const iterator = client.watch({})[Symbol.asyncIterator]();
    await iterator.next();
  })();
  await until("the call is cancelled", async () => {
    collectGarbage();
    await turns(2);
    return clientApp.cancels.length === 1 && isOver;
  });
});

test("streams leave nothing behind", async (t) => {
  const { client, daemon } = await startStreams(t);
  const burst = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      const runs = Array.from({ length: 20 }, async () => {
        for await (const _ of client.chat([{ text: "x" }, { text: "y" }]));
        for await (const _ of client.watch({ number: 50 })) break;
      });
      await Promise.all(runs);
    }
    daemon.messages.length = 0;
    for (const app of daemon.apps) app.cancels.length = 0;
  };
  let before = 0;
  let growth = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20 && growth > 40_000; round++) {
    await burst();
    await client.sum([]);
    await turns(5);
    collectGarbage();
    const after = process.memoryUsage().heapUsed;
    growth = after - before;
    before = after;
  }
  assert.ok(growth <= 40_000, `800 streams still leave ${growth} bytes`);
  assert.deepEqual(daemon.violations, []);
});

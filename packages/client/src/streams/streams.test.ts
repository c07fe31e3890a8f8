import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotFlag, SlotKind } from "@koala/protocol";
import { until } from "@koala/testing";
import { RpcError } from "../errors/rpc-error.ts";
import { Status, startMesh } from "../mesh/mesh-helper.test.ts";
import { collect, Gate, startStreams, streams } from "./stream-helper.test.ts";

test("a stream of responses", async (t) => {
  const { client, daemon, clientApp, serverApp } = await startStreams(t);
  const { got, error } = await collect(client.watch({ number: 3, text: "tick" }));
  assert.equal(error, undefined);
  assert.deepEqual(
    got.map(({ number, text }) => [number, text]),
    [
      [0, "tick"],
      [1, "tick"],
      [2, "tick"],
    ],
  );
  assert.deepEqual((await collect(client.watch({ number: 0 }))).got, []);
  await client.sum([]);
  await until("all blocks are back", () => clientApp.blocksInUse + serverApp.blocksInUse <= 2);
  assert.deepEqual(daemon.violations, []);
});

test("a stream of requests, from an array, a generator and an async one", async (t) => {
  const { client, daemon } = await startStreams(t);
  const messages = [
    { number: 1, text: "a" },
    { number: 2, text: "b" },
  ];
  assert.equal((await client.sum(messages)).text, "ab");
  const sync = (function* () {
    yield* messages;
  })();
  assert.equal((await client.sum(sync)).number, 3);
  const slow = (async function* () {
    for (const message of messages) {
      await new Promise((resolve) => setImmediate(resolve));
      yield message;
    }
  })();
  assert.equal((await client.sum(slow)).text, "ab");
  assert.equal((await client.sum([])).number, 0);
  assert.deepEqual(daemon.violations, []);
});

test("streams both ways, one message after the other", async (t) => {
  const { client, daemon } = await startStreams(t);
  let answered = new Gate();
  const requests = (async function* () {
    for (let number = 1; number <= 50; number++) {
      answered = new Gate();
      yield { number };
      await answered.isOpen;
    }
  })();
  const got: number[] = [];
  for await (const { number } of client.chat(requests)) {
    got.push(number);
    answered.open();
  }
  assert.deepEqual(
    got,
    Array.from({ length: 50 }, (_, i) => -1 - i),
  );
  assert.deepEqual(daemon.violations, []);
});

test("small messages share blocks", async (t) => {
  const { client, daemon } = await startStreams(t);
  const { got } = await collect(client.watch({ number: 5000, text: "x".repeat(20) }));
  assert.deepEqual(
    got.map(({ number }) => number),
    Array.from({ length: 5000 }, (_, i) => i),
  );
  const sent = daemon.messages.filter(({ kind, count }) => kind === SlotKind.MESSAGE && count > 0);
  assert.equal(
    sent.reduce((sum, { count }) => sum + count, 0),
    5000,
  );
  assert.ok(sent.length < 100, `${sent.length} blocks`);
  assert.deepEqual(daemon.violations, []);
});

test("messages of all sizes, in order", async (t) => {
  const sizes = [0, 10, 300, 600, 4000, 4096, 5000, 20_000, 100, 300_000, 8, 16_384, 1, 40, 2000];
  const { client, daemon } = await startStreams(t, {
    *watch() {
      for (let i = 0; i < 300; i++) {
        const size = sizes[i % sizes.length]!;
        yield i % 2 === 0
          ? { number: i, body: new Uint8Array(size).fill(i) }
          : { number: i, text: "€".repeat(size / 3) };
      }
    },
    async *chat(requests) {
      for await (const { number, body, text } of requests) yield { number, body, text };
    },
  });
  let expected = 0;
  const requests = (async function* () {
    for await (const { number, body, text } of client.watch({})) yield { number, body, text };
  })();
  for await (const { number, body, text } of client.chat(requests)) {
    const size = sizes[number % sizes.length]!;
    assert.equal(number, expected++);
    if (number % 2 === 0) assert.deepEqual(body, new Uint8Array(size).fill(number));
    else assert.equal(text.length, Math.floor(size / 3));
  }
  assert.equal(expected, 300);
  assert.deepEqual(daemon.violations, []);
});

test("the last request says that it is, and half a call goes on", async (t) => {
  const ended = new Gate();
  const { client, daemon } = await startStreams(t, {
    async *chat(requests) {
      let sum = 0;
      for await (const { number } of requests) sum += number;
      ended.open();
      yield { number: sum };
      await new Promise((resolve) => setImmediate(resolve));
      yield { number: sum + 1 };
    },
  });
  const { got } = await collect(client.chat([{ number: 1 }, { number: 2 }]));
  await ended.isOpen;
  assert.deepEqual(
    got.map(({ number }) => number),
    [3, 4],
  );
  const requests = daemon.messages.filter((m) => m.kind === SlotKind.MESSAGE && !m.fromCallee);
  assert.deepEqual(
    requests.map(({ count, flags }) => [count, flags & SlotFlag.END]),
    [[2, SlotFlag.END]],
  );
});

test("next() may be called many times at once", async (t) => {
  const { client } = await startStreams(t);
  const iterator = client.watch({ number: 3 })[Symbol.asyncIterator]();
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => iterator.next()));
  assert.deepEqual(
    results.map(({ done, value }) => (done === true ? "done" : value.number)),
    [0, 1, 2, "done", "done"],
  );
});

test("a call begins at once, also when nobody iterates", async (t) => {
  const begun = new Gate();
  const { client } = await startStreams(t, {
    *watch() {
      begun.open();
      yield { text: "first" };
    },
  });
  const responses = client.watch({});
  await begun.isOpen;
  assert.equal((await collect(responses)).got.length, 1);
});

test("calls wait in line like others", async (t) => {
  const { client, daemon } = await startStreams(t, streams(), { callsMax: 2 });
  const runs = Array.from({ length: 12 }, async (_, i) => {
    if (i % 3 === 0) return (await collect(client.watch({ number: i }))).got.length;
    if (i % 3 === 1) return (await client.sum([{ number: i }])).number;
    const { got } = await collect(client.chat([{ number: i }]));
    return -got[0]!.number;
  });
  assert.deepEqual(
    await Promise.all(runs),
    Array.from({ length: 12 }, (_, i) => i),
  );
  assert.deepEqual(daemon.violations, []);
});

test("views of messages are read from shared memory, until the next one is asked for", async (t) => {
  const { client, daemon, clientApp } = await startStreams(t);
  const body = new Uint8Array(10_000).fill(7);
  const seen: number[] = [];
  for await (const message of client.watch({ number: 4, body }, { view: true })) {
    assert.ok(message.body.buffer.byteLength > body.length, "bytes of the region");
    assert.deepEqual(message.body, body);
    seen.push(message.number);
  }
  assert.deepEqual(seen, [0, 1, 2, 3]);
  const small: string[] = [];
  for await (const { text } of client.watch({ number: 100, text: "s" }, { view: true })) {
    small.push(text);
  }
  assert.equal(small.length, 100);
  for (let i = 0; i < 10; i++) await client.sum([]);
  await until("the blocks are back", () => clientApp.blocksInUse <= 1);
  assert.deepEqual(daemon.violations, []);
});

test("headers come before the first message, trailers after the last", async (t) => {
  const order: string[] = [];
  const { client } = await startStreams(t, {
    async *watch(_request, context) {
      context.responseHeader.set("shelf", "top");
      yield { number: 1 };
      context.responseTrailer.set("took", "long");
      yield { number: 2 };
    },
    async sum(requests, context) {
      context.responseHeader.set("shelf", "low");
      context.sendHeader();
      for await (const _ of requests);
      throw new RpcError(Status.ABORTED, "no", { metadata: [["why", "told"]] });
    },
  });
  const options = {
    onHeader: (headers: Headers) => void order.push(`header ${headers.get("shelf")}`),
    onTrailer: (headers: Headers) => void order.push(`trailer ${[...headers.keys()]}`),
  };
  for await (const { number } of client.watch({}, options)) order.push(`message ${number}`);
  assert.deepEqual(order, ["header top", "message 1", "message 2", "trailer took"]);
  order.length = 0;
  await assert.rejects(client.sum([{}], options), { reason: "no" });
  assert.deepEqual(order, ["header low", "trailer why"]);
});

test("headers that are set behind a message do not go", async (t) => {
  const headers: string[] = [];
  const { client, daemon } = await startStreams(t, {
    *watch(_request, context) {
      yield { number: 1 };
      context.responseHeader.set("late", "yes");
      context.sendHeader();
      yield { number: 2 };
    },
  });
  const onHeader = (given: Headers): void => void headers.push(...given.keys());
  assert.equal((await collect(client.watch({}, { onHeader }))).got.length, 2);
  assert.deepEqual(headers, []);
  const sent = daemon.messages.filter(({ flags }) => (flags & SlotFlag.HEADERS) !== 0);
  assert.deepEqual(sent, []);
});

test("a service may call itself", async (t) => {
  const { serverMesh, daemon } = await startStreams(t);
  const { Echo } = await import("../gen/echo/v1/echo_pb.ts");
  const self = serverMesh.client(Echo, "echo");
  const around = async function* () {
    for await (const { number, text } of self.watch({ number: 500, text: "loop" })) {
      yield { number, text };
    }
  };
  const { got } = await collect(self.chat(around()));
  assert.equal(got.length, 500);
  const mesh = await startMesh(t, daemon);
  assert.equal((await mesh.client(Echo, "echo").sum([{ number: 2 }])).number, 2);
  assert.deepEqual(daemon.violations, []);
});

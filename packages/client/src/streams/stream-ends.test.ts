import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { until } from "@koala/testing";
import { RpcError } from "../errors/rpc-error.ts";
import { failure, logged, Status } from "../mesh/mesh-helper.test.ts";
import { collect, Gate, Noted, startStreams, streams } from "./stream-helper.test.ts";

/** Numbers without end, and notes when it is told to stop. */
async function* endless(noted: Noted, what: string): AsyncGenerator<{ number: number }> {
  try {
    for (let number = 0; ; number++) yield { number };
  } finally {
    noted.note(`${what} ended`);
  }
}

test("leaving the loop cancels the call", async (t) => {
  const noted = new Noted();
  const { client, daemon, clientApp, serverApp } = await startStreams(t, {
    watch(_request, context) {
      noted.context = context;
      return endless(noted, "responses");
    },
  });
  let count = 0;
  for await (const _ of client.watch({})) if (++count === 3) break;
  await until("the daemon hears of it", () => clientApp.cancels.length === 1);
  assert.equal(clientApp.cancels[0]!.reason, Status.CANCELLED);
  await until("the handler's iterable ends", () => noted.lines.length === 1);
  assert.equal(noted.context?.signal.aborted, true);
  assert.equal(noted.context?.signal.reason.status, Status.CANCELLED);
  await assert.rejects(
    (async () => {
      for await (const _ of client.watch({})) throw new TypeError("enough");
    })(),
    TypeError,
  );
  await until("again", () => noted.lines.length === 2);
  // Up to six blocks an app wait for a slot that can name them.
  await until("blocks come back", () => clientApp.blocksInUse + serverApp.blocksInUse <= 12);
  assert.deepEqual(daemon.violations, []);
});

test("messages before an error come first, then the error, then the end", async (t) => {
  const { client, daemon } = await startStreams(t, {
    async *watch({ number }) {
      for (let i = 0; i < number; i++) yield { number: i };
      throw new RpcError(Status.DATA_LOSS, "spilled", { details: new Uint8Array([1]) });
    },
    *chat() {
      yield { number: 1 };
      throw new TypeError("a bug");
    },
  });
  const responses = client.watch({ number: 700 });
  const { got, error } = await collect(responses);
  assert.equal(got.length, 700);
  assert.ok(error instanceof RpcError);
  assert.equal(error.status, Status.DATA_LOSS);
  assert.equal(error.reason, "spilled");
  assert.equal(error.origin, "remote-app");
  assert.deepEqual(await collect(responses), { got: [], error: undefined }, "once");
  logged.length = 0;
  const bug = await collect(client.chat([]));
  assert.equal(bug.got.length, 1);
  assert.equal((bug.error as RpcError).status, Status.UNKNOWN);
  assert.match(logged[0] ?? "", /handler of echo\.v1\.Echo\/Chat threw: TypeError: a bug/);
  assert.deepEqual(daemon.violations, []);
});

test("a request that can't be written, and what is no request", async (t) => {
  const { client, daemon } = await startStreams(t);
  const bad = { number: "five" } as unknown as { number: number };
  const first = await collect(client.watch(bad));
  assert.equal((first.error as RpcError).status, Status.INVALID_ARGUMENT);
  const second = await failure(client.sum([{ number: 1 }, bad]));
  assert.equal(second.status, Status.INVALID_ARGUMENT);
  assert.match(second.message, /Echo\/Sum: request: .*number/);
  const none = await failure(client.sum(5 as unknown as []));
  assert.equal(none.status, Status.INVALID_ARGUMENT);
  assert.match(none.message, /takes a stream/);
  const empty = await collect(client.chat(null as unknown as []));
  assert.equal((empty.error as RpcError).status, Status.INVALID_ARGUMENT);
  assert.equal((await client.sum([{ number: 2 }])).number, 2);
  assert.deepEqual(daemon.violations, []);
});

test("a response that can't be written, and a handler that returns no iterable", async (t) => {
  const { client, daemon } = await startStreams(t, {
    *watch() {
      yield { number: 1 };
      yield { number: 1.5 };
    },
    chat: () => 5 as unknown as [],
  });
  const { got, error } = await collect(client.watch({}));
  assert.equal(got.length, 1);
  assert.equal((error as RpcError).status, Status.INTERNAL);
  assert.match((error as RpcError).message, /Echo\/Watch: reply: .*number/);
  const none = await collect(client.chat([]));
  assert.equal((none.error as RpcError).status, Status.INTERNAL);
  assert.match((none.error as RpcError).message, /expected an iterable/);
  assert.deepEqual(daemon.violations, []);
});

test("an error of the caller's requests cancels the call", async (t) => {
  const noted = new Noted();
  const { client, clientApp } = await startStreams(t, {
    async sum(requests) {
      const { got, error } = await collect(requests);
      noted.note(`${got.length} ${(error as RpcError).statusName}`);
      return {};
    },
  });
  const broken = (async function* () {
    yield { number: 1 };
    await new Promise((resolve) => setImmediate(resolve));
    throw new TypeError("dry");
  })();
  const error = await failure(client.sum(broken));
  assert.equal(error.status, Status.CANCELLED);
  assert.match(error.reason, /requests of the call ended with an error: dry/);
  assert.ok(error.cause instanceof TypeError);
  await until("the handler hears of it", () => noted.lines.length === 1);
  assert.match(noted.lines[0]!, /^[01] CANCELLED$/);
  assert.equal(clientApp.cancels.length, 1);
});

test("iterables of users may be anything", async (t) => {
  const { client } = await startStreams(t);
  const of = (next: () => unknown): AsyncIterable<{ number: number }> => ({
    [Symbol.asyncIterator]: () => ({ next }) as AsyncIterator<{ number: number }>,
  });
  for (const next of [() => undefined, async () => 5]) {
    const error = await failure(client.sum(of(next)));
    assert.equal(error.status, Status.CANCELLED);
    assert.match(error.reason, /next\(\) gave/);
  }
  const thrown = of(() => {
    throw new TypeError("at once");
  });
  assert.match((await failure(client.sum(thrown))).reason, /at once/);
  let left = 3;
  const thenable = {
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    then: (done: (r: unknown) => void) => done({ value: { number: 2 }, done: left-- === 0 }),
  };
  assert.equal((await client.sum(of(() => thenable))).number, 6);
});

test("a server may answer before the requests have ended", async (t) => {
  const noted = new Noted();
  const { client, daemon, serverApp, clientApp } = await startStreams(t, {
    async sum(requests) {
      for await (const { number } of requests) if (number === 3) break;
      return { number: 3 };
    },
    async *chat(requests) {
      for await (const _ of requests) break;
      yield { number: 1 };
    },
  });
  assert.equal((await client.sum(endless(noted, "sum's"))).number, 3);
  assert.equal((await collect(client.chat(endless(noted, "chat's")))).got.length, 1);
  await until("the sources are told", () => noted.lines.length === 2);
  const inUse = (): number => serverApp.blocksInUse + clientApp.blocksInUse;
  await until("what came too late is released", () => inUse() <= 12);
  assert.deepEqual(daemon.violations, []);
});

test("an aborted signal ends both ends at once", async (t) => {
  const noted = new Noted();
  const { client, clientApp } = await startStreams(t, {
    async *chat(requests, context) {
      noted.context = context;
      yield { number: 1 };
      const { error } = await collect(requests);
      noted.note((error as RpcError).statusName);
    },
  });
  const controller = new AbortController();
  const { signal } = controller;
  const silent = new Gate();
  const requests = (async function* () {
    await silent.isOpen;
    yield {};
  })();
  const iterator = client.chat(requests, { signal })[Symbol.asyncIterator]();
  await iterator.next();
  const next = iterator.next();
  controller.abort(new Error("enough"));
  const error = await failure(next);
  assert.equal(error.status, Status.CANCELLED);
  assert.equal((error.cause as Error).message, "enough");
  assert.equal((await iterator.next()).done, true);
  await until("the handler's requests throw", () => noted.lines.length === 1);
  assert.equal(noted.lines[0], "CANCELLED");
  assert.equal(noted.context?.signal.aborted, true);
  assert.equal(clientApp.cancels.length, 1);
  assert.deepEqual(getEventListeners(signal, "abort"), []);
  const early = await collect(client.watch({}, { signal }));
  assert.equal((early.error as RpcError).status, Status.CANCELLED);
  silent.open();
});

test("a deadline reaches the handler's requests, its signal and its iterable", async (t) => {
  const noted = new Noted();
  const { client, serverApp, daemon } = await startStreams(t, {
    async *chat(requests, context) {
      noted.context = context;
      try {
        for await (const _ of requests) yield { number: 1 };
      } catch (error) {
        noted.note((error as RpcError).statusName);
        throw error;
      }
    },
  });
  const hold = new Gate();
  const requests = (async function* () {
    yield {};
    await hold.isOpen;
  })();
  const iterator = client.chat(requests, { timeoutMs: 60_000 })[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value?.number, 1);
  const left = noted.context?.timeoutMs ?? 0;
  assert.ok(left > 0 && left <= 60_000);
  const [id] = [...serverApp.forwarded.keys()];
  serverApp.cancelCall(id!, Status.DEADLINE_EXCEEDED);
  await until("the handler hears of it", () => noted.lines.length === 1);
  assert.equal(noted.lines[0], "DEADLINE_EXCEEDED");
  assert.equal(noted.context?.signal.reason.status, Status.DEADLINE_EXCEEDED);
  const error = await failure(iterator.next());
  assert.equal(error.status, Status.DEADLINE_EXCEEDED);
  hold.open();
  assert.deepEqual(daemon.violations, []);
});

test("a daemon that does not answer keeps no stream beyond its deadline", async (t) => {
  const { client, daemon } = await startStreams(t);
  await client.sum([]);
  daemon.onCall = () => true;
  const { error } = await collect(client.watch({ number: 1 }, { timeoutMs: 20 }));
  assert.equal((error as RpcError).status, Status.DEADLINE_EXCEEDED);
  assert.match((error as RpcError).reason, /the daemon does not answer/);
});

test("a lost connection ends streams on both sides, after what has come", async (t) => {
  const noted = new Noted();
  const { client, daemon } = await startStreams(t, {
    async *watch(_request, context) {
      noted.context = context;
      for (let number = 0; number < 5; number++) yield { number };
      await new Promise((_resolve, reject) => {
        context.signal.addEventListener("abort", () => reject(context.signal.reason));
      });
    },
    async sum(requests) {
      const { error } = await collect(requests);
      noted.note((error as RpcError).statusName);
      return {};
    },
  });
  const source = new Noted();
  const waiting = failure(client.sum(endless(source, "requests")));
  const iterator = client.watch({})[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value?.number, 0);
  daemon.stop();
  const error = await waiting;
  assert.equal(error.status, Status.UNAVAILABLE);
  assert.equal(error.origin, "local-daemon");
  await until("the source is told", () => source.lines.length === 1);
  await new Promise((resolve) => setImmediate(resolve));
  for (let number = 1; number < 5; number++) {
    assert.equal((await iterator.next()).value?.number, number, "memory that is gone was read out");
  }
  assert.equal((await failure(iterator.next())).status, Status.UNAVAILABLE);
  await until("the handlers hear of it", () => noted.context?.signal.aborted === true);
  await until("and their requests end", () => noted.lines.length === 1);
  assert.equal(noted.lines[0], "UNAVAILABLE");
});

test("messages that nobody has taken outlive the call and the connection", async (t) => {
  const { client, daemon } = await startStreams(t);
  const iterator = client.watch({ number: 900, text: "kept" })[Symbol.asyncIterator]();
  const viewing = client.watch({ number: 50, text: "seen" }, { view: true });
  const views = viewing[Symbol.asyncIterator]();
  await iterator.next();
  const view = (await views.next()).value;
  await client.sum([]);
  daemon.stop();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(view?.text, "seen");
  let count = 1;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    assert.equal(next.value.number, count++);
  }
  assert.equal(count, 900);
  let seen = 1;
  for (let next = await views.next(); next.done !== true; next = await views.next()) seen++;
  assert.equal(seen, 50);
});

test("closing the mesh ends streams with CANCELLED", async (t) => {
  const { client, mesh } = await startStreams(t, {
    watch: (_request, context) => endless(new Noted(), context.method),
  });
  const iterator = client.watch({})[Symbol.asyncIterator]();
  await iterator.next();
  await mesh.close();
  const { error } = await collect({ [Symbol.asyncIterator]: () => iterator });
  assert.equal((error as RpcError).status, Status.CANCELLED);
});

test("closing the server cuts streams after the grace time, and counts them", async (t) => {
  const noted = new Noted();
  const { client, server } = await startStreams(t, {
    watch: () => endless(noted, "responses"),
    async sum(requests) {
      const { error } = await collect(requests);
      noted.note((error as RpcError).statusName);
      return {};
    },
  });
  const hold = new Gate();
  const iterator = client.watch({})[Symbol.asyncIterator]();
  await iterator.next();
  const requests = (async function* () {
    yield {};
    await hold.isOpen;
  })();
  const sum = failure(client.sum(requests));
  await client
    .chat([])
    [Symbol.asyncIterator]()
    .next()
    .catch(() => {});
  assert.deepEqual(await server.close({ graceMs: 20 }), { cut: 2 });
  assert.equal((await sum).status, Status.UNAVAILABLE);
  const { error } = await collect({ [Symbol.asyncIterator]: () => iterator });
  assert.equal((error as RpcError).status, Status.UNAVAILABLE);
  assert.equal((error as RpcError).origin, "remote-app");
  await until("the handlers end", () => noted.lines.length === 2);
  assert.deepEqual(noted.lines.sort(), ["UNAVAILABLE", "responses ended"]);
  hold.open();
});

test("closing the server waits for streams that end in time", async (t) => {
  const { client, server } = await startStreams(t, streams());
  const iterator = client.watch({ number: 5 })[Symbol.asyncIterator]();
  await iterator.next();
  assert.deepEqual(await server.close(), { cut: 0 });
  const rest = await collect({ [Symbol.asyncIterator]: () => iterator });
  assert.equal(rest.got.length, 4);
  assert.equal(rest.error, undefined);
});

test("a caller may leave while its call waits in line", async (t) => {
  const { client, daemon } = await startStreams(t, streams(), { callsMax: 1 });
  const hold = new Gate();
  const first = client.sum(
    (async function* () {
      await hold.isOpen;
      yield { number: 1 };
    })(),
  );
  const never = client.watch({ number: 1 })[Symbol.asyncIterator]();
  await never.return?.();
  assert.equal((await never.next()).done, true);
  const late = await collect(client.watch({ number: 1 }, { timeoutMs: 5 }));
  assert.equal((late.error as RpcError).status, Status.DEADLINE_EXCEEDED);
  hold.open();
  assert.equal((await first).number, 1);
  assert.equal((await collect(client.watch({ number: 2 }))).got.length, 2);
  assert.deepEqual(daemon.violations, []);
});

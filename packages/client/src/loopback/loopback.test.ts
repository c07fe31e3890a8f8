import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@koala/testing";
import { RpcError } from "../errors/rpc-error.ts";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { ErrorInfoSchema } from "../google-rpc.ts";
import type { Interceptor } from "../interceptors/interceptor.ts";
import { failure, Status } from "../mesh/mesh-helper.test.ts";
import type { ServiceImpl } from "../serving/service-export.ts";
import { loopback } from "./loopback.ts";

type Impl = ServiceImpl<typeof Echo>;

const echo: Impl = {
  say: ({ text, number }) => ({ text: `say ${text}`, number: number + 1 }),
  async *watch({ number }) {
    for (let i = 0; i < number; i++) yield { number: i };
  },
  async sum(requests) {
    let number = 0;
    for await (const request of requests) number += request.number;
    return { number };
  },
  async *chat(requests) {
    for await (const { text } of requests) yield { text: `re ${text}` };
  },
};

function client(impl: Impl = echo) {
  return loopback((r) => r.service(Echo, impl), { log: () => {} }).client(Echo, "echo");
}

test("all four kinds of calls", async () => {
  const { say, watch, sum, chat } = client();
  assert.equal((await say({ text: "x", number: 1 })).number, 2);
  const numbers: number[] = [];
  for await (const { number } of watch({ number: 100 })) numbers.push(number);
  assert.deepEqual(numbers, [...Array(100).keys()]);
  assert.equal((await sum([{ number: 1 }, { number: 2 }, { number: 3 }])).number, 6);
  const texts: string[] = [];
  const requests = (async function* () {
    yield { text: "a" };
    await until("the answer is there", () => texts.length === 1);
    yield { text: "b" };
  })();
  for await (const { text } of chat(requests)) texts.push(text);
  assert.deepEqual(texts, ["re a", "re b"]);
});

test("the two sides share no message", async () => {
  let kept: { tags: string[] } | undefined;
  const { say } = client({
    say: (request) => {
      kept = request;
      return { tags: request.tags };
    },
  });
  const tags = ["one"];
  const reply = await say({ tags });
  tags.push("two");
  reply.tags.push("three");
  assert.deepEqual(kept?.tags, ["one"]);
  assert.deepEqual(reply.tags, ["one", "three"]);
});

test("errors arrive as over a daemon", async () => {
  const { say, fail, missing, watch } = client({
    say: () => {
      throw new TypeError("oops");
    },
    fail: ({ message }, context) => {
      context.responseTrailer.set("cost", "1");
      throw new RpcError(Status.NOT_FOUND, message, {
        details: [{ desc: ErrorInfoSchema, value: { reason: "NO" } }],
        metadata: [["why", "told"]],
      });
    },
    async *watch() {
      yield { number: 1 };
      throw new RpcError(Status.ABORTED, "in the middle");
    },
  });
  const unknown = await failure(say({}));
  assert.equal(unknown.status, Status.UNKNOWN);
  assert.equal(unknown.origin, "remote-app");
  assert.equal(unknown.reason, "handler threw: oops");
  let trailers: Headers | undefined;
  const onTrailer = (all: Headers): void => {
    trailers = all;
  };
  const known = await failure(fail({ message: "no" }, { onTrailer }));
  assert.equal(known.status, Status.NOT_FOUND);
  assert.equal(known.findDetails(ErrorInfoSchema)[0]?.reason, "NO");
  assert.deepEqual(known.metadata, [
    ["cost", "1"],
    ["why", "told"],
  ]);
  assert.equal(trailers?.get("why"), "told");
  assert.equal((await failure(missing({}))).status, Status.UNIMPLEMENTED);
  const stream = watch({})[Symbol.asyncIterator]();
  assert.equal((await stream.next()).value.number, 1);
  assert.equal((await failure(stream.next())).status, Status.ABORTED);
  assert.equal((await stream.next()).done, true);
});

test("a value that does not fit its field is refused on either side", async () => {
  const { say } = client({ say: ({ number }) => ({ number: number * 2 ** 40 }) });
  assert.equal((await failure(say({ number: 2 ** 40 }))).status, Status.INVALID_ARGUMENT);
  assert.equal((await failure(say({ number: 1 }))).status, Status.INTERNAL);
});

test("headers and trailers go both ways", async () => {
  const { say, watch } = client({
    say: (_request, context) => {
      context.responseHeader.set("got", context.requestHeader.get("sent") ?? "");
      context.responseTrailer.set("end", "1");
      return {};
    },
    async *watch(_request, context) {
      context.responseHeader.set("got", "stream");
      yield {};
      context.responseTrailer.set("end", "2");
    },
  });
  const seen: string[] = [];
  const options = {
    headers: { sent: "x" },
    onHeader: (all: Headers) => void seen.push(`header ${all.get("got")}`),
    onTrailer: (all: Headers) => void seen.push(`trailer ${all.get("end")}`),
  };
  await say({}, options);
  for await (const _ of watch({}, options)) seen.push("message");
  assert.deepEqual(seen, ["header x", "trailer 1", "header stream", "message", "trailer 2"]);
  assert.equal(
    (await failure(say({}, { metadata: [["Upper", ""]] }))).status,
    Status.INVALID_ARGUMENT,
  );
});

test("deadlines and cancellation end both sides", async () => {
  const reasons: Status[] = [];
  const hang = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason.status);
        reject(signal.reason);
      });
    });
  const { say, watch, sum } = client({
    say: (_request, { signal, timeoutMs }) => {
      assert.ok(timeoutMs === undefined || timeoutMs <= 20);
      return hang(signal);
    },
    async *watch(_request, { signal }) {
      yield {};
      await hang(signal);
    },
    async sum(requests, { signal }) {
      for await (const _ of requests);
      return hang(signal);
    },
  });
  assert.equal((await failure(say({}, { timeoutMs: 20 }))).status, Status.DEADLINE_EXCEEDED);
  assert.equal((await failure(say({}, { timeoutMs: 0 }))).status, Status.DEADLINE_EXCEEDED);
  const controller = new AbortController();
  const { signal } = controller;
  const call = failure(say({}, { signal }));
  const stream = watch({}, { signal })[Symbol.asyncIterator]();
  await stream.next();
  const rest = failure(stream.next());
  const endless = (async function* () {
    yield {};
    await new Promise(() => {});
  })();
  const upload = failure(sum(endless, { signal }));
  controller.abort();
  for (const error of [call, rest, upload]) assert.equal((await error).status, Status.CANCELLED);
  assert.equal((await failure(say({}, { signal }))).status, Status.CANCELLED);
  assert.deepEqual(reasons.slice(0, 2), [Status.DEADLINE_EXCEEDED, Status.CANCELLED]);
});

test("leaving a stream early ends the handler", async () => {
  let isEnded = false;
  const { watch } = client({
    async *watch() {
      try {
        for (let number = 0; ; number++) yield { number };
      } finally {
        isEnded = true;
      }
    },
  });
  for await (const { number } of watch({})) if (number === 3) break;
  await until("the handler has ended", () => isEnded);
});

test("an error of the caller's requests cancels the call", async () => {
  const { sum } = client();
  const cause = new Error("disk full");
  const requests = (async function* () {
    yield { number: 1 };
    throw cause;
  })();
  const error = await failure(sum(requests));
  assert.equal(error.status, Status.CANCELLED);
  assert.equal(error.cause, cause);
});

test("interceptors run on both sides", async () => {
  const notes: string[] = [];
  const note =
    (side: string): Interceptor =>
    (next) =>
    (req) => {
      notes.push(`${side} ${req.method.name} ${req.stream}`);
      return next(req);
    };
  const mesh = loopback((r) => r.service(Echo, echo), {
    interceptors: [note("client")],
    server: { interceptors: [note("server")] },
  });
  const { say, watch, sum, chat } = mesh.client(Echo, "echo");
  assert.equal((await say({ text: "x" })).text, "say x");
  const numbers: number[] = [];
  for await (const { number } of watch({ number: 3 })) numbers.push(number);
  assert.deepEqual(numbers, [0, 1, 2]);
  assert.equal((await sum([{ number: 2 }, { number: 3 }])).number, 5);
  const texts: string[] = [];
  for await (const { text } of chat([{ text: "a" }, { text: "b" }])) texts.push(text);
  assert.deepEqual(texts, ["re a", "re b"]);
  assert.deepEqual(notes, [
    "client Say false",
    "server Say false",
    "client Watch true",
    "server Watch true",
    "client Sum true",
    "server Sum true",
    "client Chat true",
    "server Chat true",
  ]);
});

test("services by name, and their end", async () => {
  const mesh = loopback();
  assert.match((await failure(mesh.client(Echo, "a").say({}))).reason, /nobody serves a/);
  const server = await mesh.serve({ name: "a" }, (r) =>
    r.service(Echo, { say: () => new Promise(() => {}) }),
  );
  assert.equal((await mesh.describe("echo.v1.Echo")).typeName, "echo.v1.Echo");
  assert.deepEqual(
    (await mesh.services()).map(({ name }) => name),
    ["a"],
  );
  assert.match((await failure(mesh.client(Echo, "b").say({}))).reason, /nobody serves b/);
  const call = failure(mesh.client(Echo, "a").say({}));
  assert.deepEqual(await server.close({ graceMs: 0 }), { cut: 1 });
  assert.equal((await call).status, Status.UNAVAILABLE);
  await mesh.close();
  assert.equal((await failure(mesh.client(Echo, "a").say({}))).status, Status.CANCELLED);
  await assert.rejects(
    mesh.serve({ name: "a" }, (r) => r.service(Echo, {})),
    { code: "ERR_MESH_CLOSED" },
  );
});

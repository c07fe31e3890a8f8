import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@koala/testing";
import { RpcError } from "../errors/rpc-error.ts";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { loopback } from "../loopback/loopback.ts";
import { echo, failure, Seen, Status, startDaemon, startMesh } from "../mesh/mesh-helper.test.ts";
import type { ServiceImpl } from "../serving/service-export.ts";
import { createContextKey, createContextValues } from "./context-values.ts";
import type { Interceptor } from "./interceptor.ts";

/** Notes when a call comes by on its way in and out. */
function noting(name: string, notes: string[]): Interceptor {
  return (next) => async (req) => {
    notes.push(`${name} ${req.method.name}`);
    const res = await next(req);
    notes.push(`${name} done`);
    return res;
  };
}

test("interceptors run in their order, those of the mesh outside", async (t) => {
  const daemon = startDaemon(t);
  const notes: string[] = [];
  const server = await startMesh(t, daemon);
  const serverSide = [noting("s1", notes), noting("s2", notes)];
  await server.serve({ name: "echo", interceptors: serverSide }, (r) =>
    r.service(Echo, { say: () => ({ text: "hello" }) }),
  );
  const mesh = await startMesh(t, daemon, { interceptors: [noting("mesh", notes)] });
  const client = mesh.client(Echo, "echo", { interceptors: [noting("client", notes)] });
  assert.equal((await client.say({})).text, "hello");
  assert.deepEqual(notes, [
    "mesh Say",
    "client Say",
    "s1 Say",
    "s2 Say",
    "s2 done",
    "s1 done",
    "client done",
    "mesh done",
  ]);
  assert.equal(mesh.client(Echo, "echo"), mesh.client(Echo, "echo"));
});

test("interceptors see and change messages and headers of both sides", async (t) => {
  const daemon = startDaemon(t);
  const serverMesh = await startMesh(t, daemon);
  const user = createContextKey("nobody");
  const authenticate: Interceptor = (next) => async (req) => {
    req.contextValues.set(user, req.header.get("authorization") ?? "nobody");
    const res = await next(req);
    res.trailer.set("seen", "server");
    return res;
  };
  await serverMesh.serve({ name: "echo", interceptors: [authenticate] }, (r) =>
    r.service(Echo, {
      say: ({ text }, context) => ({ text: `${text} ${context.values.get(user)}` }),
    }),
  );
  const mark: Interceptor = (next) => async (req) => {
    assert.equal(req.stream, false);
    req.header.set("authorization", "ada");
    const res = await next(req);
    if (!res.stream) Object.assign(res.message, { number: 7 });
    return res;
  };
  const mesh = await startMesh(t, daemon, { interceptors: [mark] });
  const trailers: string[] = [];
  const reply = await mesh
    .client(Echo, "echo")
    .say({ text: "for" }, { onTrailer: (all) => trailers.push(all.get("seen") ?? "") });
  assert.equal(reply.text, "for ada");
  assert.equal(reply.number, 7);
  assert.deepEqual(trailers, ["server"]);
});

test("a client's context values reach its interceptors", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  await mesh.serve({ name: "echo" }, (r) => r.service(Echo, echo(new Seen())));
  const key = createContextKey(0);
  const values: number[] = [];
  const look: Interceptor = (next) => (req) => {
    values.push(req.contextValues.get(key));
    return next(req);
  };
  const client = mesh.client(Echo, "echo", { interceptors: [look] });
  await client.say({}, { contextValues: createContextValues().set(key, 5) });
  await client.say({});
  assert.deepEqual(values, [5, 0]);
});

test("an interceptor can answer by itself, fail, and call again", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  const seen = new Seen();
  await mesh.serve({ name: "echo" }, (r) => r.service(Echo, echo(seen)));
  const refuse: Interceptor = () => async () => {
    throw new RpcError(Status.PERMISSION_DENIED, "not you");
  };
  const refused = mesh.client(Echo, "echo", { interceptors: [refuse] });
  assert.equal((await failure(refused.say({}))).status, Status.PERMISSION_DENIED);
  assert.equal(seen.calls, 0);
  const twice: Interceptor = (next) => async (req) => {
    await next(req);
    return next(req);
  };
  assert.equal(
    (await mesh.client(Echo, "echo", { interceptors: [twice] }).say({ number: 1 })).number,
    2,
  );
  assert.equal(seen.calls, 2);
});

test("errors and trailers of a failure pass through interceptors", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  const pass: Interceptor = (next) => (req) => next(req);
  await mesh.serve({ name: "echo", interceptors: [pass] }, (r) =>
    r.service(Echo, echo(new Seen())),
  );
  const client = mesh.client(Echo, "echo", { interceptors: [pass] });
  const trailers: (string | null)[] = [];
  const onTrailer = (all: Headers): void => {
    trailers.push(all.get("why"));
  };
  const error = await failure(client.fail({ status: 9, message: "no" }, { onTrailer }));
  assert.equal(error.status, Status.FAILED_PRECONDITION);
  assert.equal(error.reason, "no");
  assert.deepEqual(trailers, ["told"]);
});

test("cancellation passes through interceptors on both sides", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  const seen = new Seen();
  const signals: AbortSignal[] = [];
  const look: Interceptor = (next) => (req) => {
    signals.push(req.signal);
    return next(req);
  };
  await mesh.serve({ name: "echo", interceptors: [look] }, (r) => r.service(Echo, echo(seen)));
  const controller = new AbortController();
  const client = mesh.client(Echo, "echo", { interceptors: [look] });
  const call = failure(client.say({ text: "hang" }, { signal: controller.signal }));
  controller.abort();
  assert.equal((await call).status, Status.CANCELLED);
  assert.equal(signals[0]?.aborted, true);
});

test("what is no stream of requests is refused with interceptors as without", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  await mesh.serve({ name: "echo" }, (r) => r.service(Echo, echo(new Seen())));
  const pass: Interceptor = (next) => (req) => next(req);
  const requests = 5 as unknown as [];
  for (const interceptors of [[], [pass]]) {
    const client = mesh.client(Echo, "echo", { interceptors });
    assert.equal((await failure(client.sum(requests))).status, Status.INVALID_ARGUMENT);
    const chat = client.chat(requests)[Symbol.asyncIterator]();
    assert.equal((await failure(chat.next())).status, Status.INVALID_ARGUMENT);
  }
});

test("who leaves a stream before its response cancels the call", async () => {
  let reason: RpcError | undefined;
  const pass: Interceptor = (next) => (req) => next(req);
  const impl: ServiceImpl<typeof Echo> = {
    async *watch(_request, { signal }) {
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          reject(signal.reason);
        });
      });
      yield {};
    },
  };
  const mesh = loopback((r) => r.service(Echo, impl), { interceptors: [pass] });
  const stream = mesh.client(Echo, "echo").watch({})[Symbol.asyncIterator]();
  const next = stream.next();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await stream.return!()).done, true);
  assert.equal((await failure(next)).status, Status.CANCELLED);
  await until("the handler is told", () => reason?.status === Status.CANCELLED);
});

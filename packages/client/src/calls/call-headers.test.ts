import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { until } from "@koala/testing";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { encodeBinaryHeader } from "../headers/header-fields.ts";
import { failure, Status, startDaemon, startEcho, startMesh } from "../mesh/mesh-helper.test.ts";
import type { HandlerContext } from "../serving/handler-context.ts";
import type { ServiceImpl } from "../serving/service-export.ts";
import type { CallOptions } from "./call-options.ts";
import type { Client } from "./client.ts";

type Say = NonNullable<ServiceImpl<typeof Echo>["say"]>;

async function served(t: TestContext, say: Say): Promise<Client<typeof Echo>> {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  await mesh.serve({ name: "echo" }, (r) => r.service(Echo, { say }));
  t.after(() => assert.deepEqual(daemon.violations, []));
  return mesh.client(Echo, "echo");
}

test("headers reach the handler, as Headers and as entries", async (t) => {
  let context: HandlerContext | undefined;
  const client = await served(t, (_request, given) => {
    context = given;
    return {};
  });
  const token = encodeBinaryHeader(new Uint8Array([1, 2, 255]));
  await client.say(
    {},
    { metadata: [["first", "a"]], headers: { "X-User": "ada", "token-bin": token } },
  );
  assert.equal(context?.requestHeader.get("x-user"), "ada");
  assert.equal(context?.requestHeader.get("token-bin"), token);
  assert.equal(context?.requestHeader.get("first"), "a");
  assert.deepEqual(context?.metadata, [
    ["first", "a"],
    ["token-bin", new Uint8Array([1, 2, 255])],
    ["x-user", "ada"],
  ]);
});

test("trailers come back as Headers", async (t) => {
  const client = await served(t, (_request, context) => {
    context.responseMetadata = [["raw", "1"]];
    context.responseTrailer.set("cost", "3");
    return {};
  });
  const got: string[] = [];
  const onTrailer = (trailers: Headers): void => {
    for (const [key, value] of trailers) got.push(`${key}=${value}`);
  };
  let entries: unknown;
  await client.say({}, { onTrailer, onTrailerEntries: (all) => (entries = all) });
  assert.deepEqual(got, ["cost=3", "raw=1"]);
  assert.deepEqual(entries, [
    ["raw", "1"],
    ["cost", "3"],
  ]);
});

for (const [name, options] of [
  ["a name that is none", { headers: { "a b": "x" } }],
  ["bytes that are no base64", { headers: { "a-bin": "!" } }],
  ["a name that metadata can't have", { headers: { "a!": "x" } }],
] satisfies [string, CallOptions][]) {
  test(`headers with ${name} fail the call`, async (t) => {
    const { client } = await startEcho(t);
    assert.equal((await failure(client.say({}, options))).status, Status.INVALID_ARGUMENT);
  });
}

test("response headers that are none fail the call, once", async (t) => {
  const client = await served(t, (_request, context) => {
    context.responseHeader.set("a-bin", "!");
    return {};
  });
  const error = await failure(client.say({}));
  assert.equal(error.status, Status.INTERNAL);
  assert.match(error.reason, /response headers: .*expected base64/);
  assert.equal(error.origin, "remote-app");
});

test("a call for another one ends with it", async (t) => {
  const daemon = startDaemon(t);
  const inner = await startEcho(t);
  const mesh = await startMesh(t, daemon);
  const reasons: Promise<{ status: Status; reason: string }>[] = [];
  await mesh.serve({ name: "outer" }, (r) =>
    r.service(Echo, {
      say: async (_request, parent) => {
        const call = inner.client.say({ text: "hang" }, { parent });
        reasons.push(failure(call));
        return call;
      },
    }),
  );
  const client = mesh.client(Echo, "outer");
  const controller = new AbortController();
  const call = failure(client.say({}, { signal: controller.signal }));
  await until("the inner call runs", () => inner.seen.calls === 1);
  const app = daemon.apps.at(-1)!;
  controller.abort();
  assert.equal((await call).status, Status.CANCELLED);
  // The fake daemon passes no cancellation on by itself.
  app.cancelCall([...app.forwarded.keys()][0]!, Status.CANCELLED);
  const ended = await reasons[0]!;
  assert.equal(ended.status, Status.CANCELLED);
  assert.match(ended.reason, /call that this one was made for/);
});

test("a call has no more time than the one it is made for", async (t) => {
  const { client } = await startEcho(t);
  const times: number[] = [];
  const front = await served(t, async (_request, parent) => {
    await client.say({}, { parent, timeoutMs: 100_000 });
    times.push(parent.timeoutMs!);
    return {};
  });
  const { seen, client: inner } = await startEcho(t);
  const outer = await served(t, async (_request, parent) => {
    await inner.say({}, { parent, timeoutMs: 1_000_000 });
    times.push(seen.context!.timeoutMs!);
    return {};
  });
  await front.say({}, { timeoutMs: 50_000 });
  await outer.say({}, { timeoutMs: 50_000 });
  assert.ok(times[0]! <= 50_000 && times[1]! <= 50_000, String(times));
});

test("the trace goes on, in the slot and in headers that were there", async (t) => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { client: inner, seen } = await startEcho(t);
  const outer = await served(t, async (_request, parent) => {
    assert.equal(parent.traceparent, traceparent);
    return await inner.say({}, { parent });
  });
  await outer.say({}, { headers: { traceparent, tracestate: "a=b" } });
  assert.equal(seen.context?.traceparent, traceparent);
  assert.deepEqual(seen.context?.metadata, [
    ["traceparent", traceparent],
    ["tracestate", "a=b"],
  ]);
});

/** What clients and routers of connect-es have of Koala: connections, policies, calls for calls, other apps. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  Code,
  ConnectError,
  createClient,
  createConnectRouter,
  type HandlerContext,
  type Interceptor,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  type KoalaTransportOptions,
  koalaContext,
  koalaTransport,
  onBehalfOf,
  type ServeRouterOptions,
  serveRouter,
} from "@koala/connect";
import {
  connect,
  isRpcError,
  loopback,
  type Mesh,
  RpcError,
  type Server,
  Status,
} from "@koala/mrpc";
import { ErrorInfoSchema } from "@koala/mrpc/google-rpc";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { River } from "../gen/test/v1/river_pb.ts";
import { atEnd, createFolder, startApp, startDaemon } from "../stage/cluster.ts";
import { rejection } from "../stage/rejection.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function meshOf(t: TestContext, { prefix }: { prefix: string }): Promise<Mesh> {
  const mesh = await connect({ prefix });
  atEnd(t, () => mesh.close({ graceMs: 0 }));
  return mesh;
}

function kitchenAt(t: TestContext, prefix: string, options: KoalaTransportOptions = {}) {
  const transport = koalaTransport("kitchen", { prefix, ...options });
  atEnd(t, () => transport.close());
  return createClient(Kitchen, transport);
}

async function serveKitchen(
  mesh: Mesh,
  impl: Partial<ServiceImpl<typeof Kitchen>>,
  options: Partial<ServeRouterOptions> = {},
): Promise<Server> {
  return await serveRouter(mesh, { name: "kitchen", ...options }, (r) => r.service(Kitchen, impl));
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof ConnectError, String(error));
    return error;
  }
  return assert.fail("the call succeeded");
}

function causeOf({ cause }: ConnectError): RpcError {
  assert.ok(isRpcError(cause), String(cause));
  return cause;
}

describe("the connection of a transport", { timeout: 120_000 }, () => {
  it("is made with the first call, and does not keep the process alive", async (t) => {
    const daemon = await startDaemon(t);
    const server = startApp(t, daemon, "kitchen-server", ["kitchen"]);
    await server.line(/^serving/);
    const app = startApp(t, daemon, "connect-once");
    await app.line(/^reply hello$/);
    assert.equal((await app.exit()).code, 0);
  });

  it("is tried again after there was no daemon", async (t) => {
    const prefix = createFolder(t);
    const kitchen = kitchenAt(t, prefix, { waitMs: 50, log: () => {} });
    const error = await failure(kitchen.echo({}));
    assert.equal(error.code, Code.Unavailable);
    assert.match(error.message, /koala/);
    assert.match(String((error.cause as { code?: unknown }).code), /^ERR_CONNECT_/);
    const daemon = await startDaemon(t, { prefix });
    await serveKitchen(await meshOf(t, daemon), { echo: (request) => request });
    assert.equal((await kitchen.echo({ text: "soup" })).text, "soup");
  });

  it("takes from the time of the calls that wait for it", async (t) => {
    const transport = koalaTransport("kitchen", { prefix: createFolder(t), log: () => {} });
    const kitchen = createClient(Kitchen, transport);
    // Whoever waited for the daemon would be told that there is none.
    assert.equal((await failure(kitchen.echo({}, { timeoutMs: 20 }))).code, Code.DeadlineExceeded);
    const controller = new AbortController();
    const aborted = failure(kitchen.echo({}, { signal: controller.signal }));
    controller.abort(new Error("enough"));
    assert.deepEqual([(await aborted).code, (await aborted).rawMessage], [Code.Canceled, "enough"]);
    const waiting = failure(kitchen.echo({}));
    await transport.close();
    assert.equal((await waiting).code, Code.Canceled);
    assert.equal((await failure(kitchen.echo({}))).code, Code.Canceled);
  });

  it("ends with the transport if it is its own", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await meshOf(t, daemon);
    let running = 0;
    await serveKitchen(mesh, {
      echo: (request) => request,
      wait: (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          running++;
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const own = koalaTransport("kitchen", { prefix: daemon.prefix });
    const kitchen = createClient(Kitchen, own);
    const waiting = failure(kitchen.wait({}));
    await until("the handler runs", () => running === 1);
    await own.close();
    assert.equal((await waiting).code, Code.Canceled);
    assert.equal((await failure(kitchen.echo({}))).code, Code.Canceled);
    const given = koalaTransport("kitchen", { mesh });
    await given.close();
    assert.equal((await createClient(Kitchen, given).echo({ text: "x" })).text, "x");
    const unused = koalaTransport("kitchen", { prefix: daemon.prefix });
    await unused.close();
    assert.equal((await failure(createClient(Kitchen, unused).echo({}))).code, Code.Canceled);
  });

  it("is lost with the daemon, and calls with it", async (t) => {
    const daemon = await startDaemon(t);
    const server = startApp(t, daemon, "kitchen-server", ["kitchen"]);
    await server.line(/^serving/);
    const kitchen = kitchenAt(t, daemon.prefix, { log: () => {} });
    const waiting = failure(kitchen.wait({ key: "soup" }));
    await server.line(/^began soup$/);
    await daemon.kill();
    const error = await waiting;
    assert.equal(error.code, Code.Unavailable);
    assert.equal(causeOf(error).origin, "local-daemon");
  });
});

describe("a service that is not there", { timeout: 120_000 }, () => {
  it("is UNAVAILABLE, or waited for", async (t) => {
    const daemon = await startDaemon(t);
    const error = await failure(kitchenAt(t, daemon.prefix).echo({}));
    assert.deepEqual([error.code, causeOf(error).origin], [Code.Unavailable, "local-daemon"]);
    const waiting = kitchenAt(t, daemon.prefix, { waitForReady: true }).echo({ text: "late" });
    await serveKitchen(await meshOf(t, daemon), { echo: (request) => request });
    assert.equal((await waiting).text, "late");
  });

  it("goes with its process", async (t) => {
    const daemon = await startDaemon(t);
    const server = startApp(t, daemon, "kitchen-server", ["kitchen"]);
    await server.line(/^serving/);
    const waiting = failure(kitchenAt(t, daemon.prefix).wait({ key: "soup" }));
    await server.line(/^began soup$/);
    process.kill(server.pid, "SIGKILL");
    assert.equal((await waiting).code, Code.Unavailable);
  });
});

it("policies decide, and errors say so", { timeout: 60_000 }, async (t) => {
  const config = `
[[policy]]
use = "acl"
name = "menu"
budget = "10s"
[policy.config]
default = "allow"
[[policy.config.rules]]
name = "no-fish"
effect = "deny"
method = "Echo"
when = "request.text == 'fish'"
`;
  const daemon = await startDaemon(t, { config });
  await serveKitchen(await meshOf(t, daemon), { echo: (request) => request });
  const kitchen = kitchenAt(t, daemon.prefix);
  assert.equal((await kitchen.echo({ text: "soup" })).text, "soup");
  const error = await failure(kitchen.echo({ text: "fish" }));
  assert.equal(error.code, Code.PermissionDenied);
  assert.equal(error.metadata.get("koala-policy"), "menu");
  const { origin, policy, rule, requestId } = causeOf(error);
  assert.deepEqual([origin, policy, rule], ["policy", "menu", "no-fish"]);
  assert.equal(error.metadata.get("koala-request-id"), requestId);
});

it("routers of one protocol, which were there before", async () => {
  for (const others of [
    { connect: false },
    { connect: false, grpc: false },
    { grpc: false, grpcWeb: false },
  ]) {
    const mesh = loopback();
    const router = createConnectRouter(others);
    router.service(River, {
      still: (request) => request,
      async *mirror(requests, context) {
        context.responseTrailer.set("x-tail", "1");
        yield* requests;
        throw new ConnectError("dry", Code.Aborted);
      },
    });
    await serveRouter(mesh, { name: "river" }, router);
    const river = createClient(River, koalaTransport("river", { mesh }));
    assert.equal((await river.still({ text: "x" }, { timeoutMs: 60_000 })).text, "x");
    const texts: string[] = [];
    const requests = (async function* () {
      yield { text: "a" };
      yield { text: "b" };
    })();
    const error = await failure(
      (async () => {
        for await (const { text } of river.mirror(requests)) texts.push(text);
      })(),
    );
    assert.deepEqual([texts, error.code, error.rawMessage], [["a", "b"], Code.Aborted, "dry"]);
    // Nothing of a protocol that is not spoken.
    assert.deepEqual([...error.metadata], [["x-tail", "1"]]);
  }
});

it("calls on behalf of a call", { timeout: 60_000 }, async (t) => {
  const daemon = await startDaemon(t);
  const mesh = await meshOf(t, daemon);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const seen: (string | undefined)[] = [];
  const ends: unknown[] = [];
  let running = 0;
  await serveRouter(mesh, { name: "inner" }, (r) =>
    r.service(Kitchen, {
      echo: (request, context) => {
        seen.push(context.values.get(koalaContext)?.traceparent);
        assert.ok(context.timeoutMs()! <= 30_000);
        return request;
      },
      wait: (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          running++;
          signal.addEventListener("abort", () => {
            ends.push(signal.reason);
            reject(signal.reason);
          });
        }),
    }),
  );
  const inner = createClient(Kitchen, koalaTransport("inner", { mesh }));
  const options = (context: HandlerContext) => ({ contextValues: onBehalfOf(context) });
  await serveKitchen(mesh, {
    echo: (request, context) => inner.echo(request, options(context)),
    wait: (request, context) => inner.wait(request, options(context)),
  });
  const kitchen = kitchenAt(t, daemon.prefix);
  await kitchen.echo({}, { headers: { traceparent }, timeoutMs: 30_000 });
  assert.deepEqual(seen, [traceparent]);
  const controller = new AbortController();
  const call = failure(kitchen.wait({}, { signal: controller.signal }));
  await until("the inner handler runs", () => running === 1);
  controller.abort();
  assert.equal((await call).code, Code.Canceled);
  await until("the inner handler is told", () => ends.length === 1);
  assert.ok(ends[0] instanceof ConnectError);
  assert.equal(ends[0].code, Code.Canceled);
});

describe("beside apps of Koala's own", { timeout: 60_000 }, () => {
  const info = { desc: ErrorInfoSchema, value: { reason: "SOLD_OUT", domain: "kitchen" } };

  it("a client of connect-es calls a server of theirs", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await meshOf(t, daemon);
    await mesh.serve({ name: "kitchen" }, (r) =>
      r.service(Kitchen, {
        echo: (request, context) => {
          context.responseHeaderMetadata = [["x-who", "koala"]];
          return request;
        },
        fail: () => {
          const metadata = [["x-raw-bin", new Uint8Array([1, 2])]] as const;
          throw new RpcError(Status.NOT_FOUND, "no such dish", { details: [info], metadata });
        },
        make: () => {
          throw new RpcError(Status.ABORTED, "", { details: new Uint8Array([255, 255]) });
        },
      }),
    );
    const kitchen = kitchenAt(t, daemon.prefix);
    let who: string | null = null;
    const onHeader = (headers: Headers): void => {
      who = headers.get("x-who");
    };
    const data = new Uint8Array(3_000_000).fill(1);
    const reply = await kitchen.echo({ data }, { onHeader });
    assert.deepEqual([reply.data.length, who], [3_000_000, "koala"]);
    const error = await failure(kitchen.fail({}));
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, "SOLD_OUT");
    assert.equal(error.metadata.get("x-raw-bin"), "AQI");
    const own = await failure(kitchen.make({}));
    assert.deepEqual([own.code, own.rawMessage, own.details], [Code.Aborted, "", []]);
    assert.deepEqual([...causeOf(own).details], [255, 255]);
  });

  it("a client of theirs calls a router", async (t) => {
    const daemon = await startDaemon(t);
    await serveKitchen(await meshOf(t, daemon), {
      echo: (request, context) => {
        context.responseTrailer.set("x-protocol", context.protocolName);
        return request;
      },
      fail: () => {
        throw new ConnectError("no such dish", Code.NotFound, { "x-why": "told" }, [info]);
      },
      make: () => {
        throw new TypeError("a secret");
      },
    });
    const kitchen = (await meshOf(t, daemon)).client(Kitchen, "kitchen");
    let trailers: unknown;
    const onTrailerEntries = (entries: unknown): void => {
      trailers = entries;
    };
    await kitchen.echo({}, { onTrailerEntries });
    assert.deepEqual(trailers, [["x-protocol", "koala"]]);
    const error = await rejection(kitchen.fail({}));
    assert.deepEqual([error.status, error.reason], [Status.NOT_FOUND, "no such dish"]);
    assert.deepEqual(error.metadata, [["x-why", "told"]]);
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, "SOLD_OUT");
    assert.equal((await rejection(kitchen.make({}))).reason, "internal error");
    const missing = await rejection(kitchen.who({}));
    assert.equal(missing.status, Status.UNIMPLEMENTED);
  });

  it("a slow reader stops the writer", async (t) => {
    const daemon = await startDaemon(t);
    let given = 0;
    let isOver = false;
    await serveRouter(await meshOf(t, daemon), { name: "river" }, (r) =>
      r.service(River, {
        async *flow() {
          try {
            for (; given < 10_000; given++) yield { data: new Uint8Array(10_000) };
          } finally {
            isOver = true;
          }
        },
      }),
    );
    const controller = new AbortController();
    const transport = koalaTransport("river", { prefix: daemon.prefix });
    atEnd(t, () => transport.close());
    let taken = 0;
    try {
      const { signal } = controller;
      for await (const _ of createClient(River, transport).flow({}, { signal })) {
        if (++taken < 100) continue;
        // All that may be under way is, once the writer makes no progress while others do.
        for (let before = -1, same = 0; same < 20; before = given) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          same = given === before ? same + 1 : 0;
        }
        break;
      }
    } finally {
      controller.abort();
    }
    assert.ok(given < 5000, `${given} messages were given for ${taken} that were read`);
    await until("the writer has ended", () => isOver);
  });

  it("a stream that was left and forgotten ends", async (t) => {
    const daemon = await startDaemon(t);
    const ended: unknown[] = [];
    const mesh = await meshOf(t, daemon);
    await serveRouter(mesh, { name: "river" }, (r) =>
      r.service(River, {
        async *flow(_request, { signal }) {
          yield {};
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          ended.push(signal.reason.code);
        },
      }),
    );
    const interceptors: Interceptor[] = [(next) => (req) => next(req)];
    for (const options of [{}, { interceptors }]) {
      const river = createClient(River, koalaTransport("river", { mesh, ...options }));
      ended.length = 0;
      await (async () => {
        for await (const _ of river.flow({})) break;
      })();
      await until("the handler is told", () => {
        collectGarbage();
        return ended.length === 1;
      });
      assert.deepEqual(ended, [Code.Canceled]);
    }
  });

  it("closing a server cuts what goes on too long", async (t) => {
    const daemon = await startDaemon(t);
    let running = 0;
    const server = await serveKitchen(await meshOf(t, daemon), {
      wait: () => {
        running++;
        return new Promise(() => {});
      },
    });
    const waiting = failure(kitchenAt(t, daemon.prefix).wait({}));
    await until("the handler runs", () => running === 1);
    assert.deepEqual(await server.close({ graceMs: 10 }), { cut: 1 });
    assert.equal((await waiting).code, Code.Unavailable);
  });
});

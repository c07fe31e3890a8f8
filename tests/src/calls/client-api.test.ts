/** What the client library offers around calls, on one host and across a link. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Client,
  connect,
  encodeBinaryHeader,
  type HandlerContext,
  type Interceptor,
  type Mesh,
  RpcError,
  type ServeOptions,
  type ServiceImpl,
  Status,
} from "@koala/mrpc";
import { ErrorInfoSchema } from "@koala/mrpc/google-rpc";
import { rawClient, rawServe } from "@koala/mrpc/raw";
import { until } from "@koala/testing";
import { DishSchema, Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { atEnd, startCluster, startDaemon } from "../stage/cluster.ts";
import { rejection } from "../stage/rejection.ts";

type Impl = ServiceImpl<typeof Kitchen>;

interface Pair {
  /** Where calls are made. */
  readonly mesh: Mesh;
  readonly serverMesh: Mesh;
}

async function startPair(t: TestContext, isFar: boolean): Promise<Pair> {
  const near = isFar ? await startCluster(t) : await startDaemon(t).then((a) => ({ a, b: a }));
  const mesh = await connect({ prefix: near.a.prefix, name: "caller" });
  atEnd(t, () => mesh.close({ graceMs: 0 }));
  const serverMesh = await connect({ prefix: near.b.prefix, name: "server" });
  atEnd(t, () => serverMesh.close({ graceMs: 0 }));
  return { mesh, serverMesh };
}

async function served(
  { mesh, serverMesh }: Pair,
  impl: Impl,
  options: Omit<ServeOptions, "name"> = {},
): Promise<Client<typeof Kitchen>> {
  await serverMesh.serve({ name: "kitchen", ...options }, (r) => r.service(Kitchen, impl));
  return mesh.client(Kitchen, "kitchen");
}

for (const isFar of [false, true]) {
  describe(`the api around calls, ${isFar ? "across a link" : "on one host"}`, () => {
    it("headers and trailers of unary calls", { timeout: 60_000 }, async (t) => {
      const bytes = new Uint8Array([0, 1, 255]);
      const kitchen = await served(await startPair(t, isFar), {
        echo: (request, context) => {
          context.responseHeader.set("got", context.requestHeader.get("sent") ?? "nothing");
          context.responseHeaderMetadata = [["raw-bin", bytes]];
          context.responseTrailer.set("cost", "5");
          return request;
        },
        fail: (_request, context) => {
          context.responseHeader.set("before", "the failure");
          context.sendHeader();
          throw new RpcError(Status.NOT_FOUND, "no such dish", {
            details: [{ desc: ErrorInfoSchema, value: { reason: "SOLD_OUT", domain: "kitchen" } }],
            metadata: [["why", "told"]],
          });
        },
      });
      const seen: string[] = [];
      const onHeader = (all: Headers): void => {
        for (const [key, value] of all) seen.push(`header ${key}=${value}`);
      };
      const onTrailer = (all: Headers): void => {
        for (const [key, value] of all) seen.push(`trailer ${key}=${value}`);
      };
      const headers = { sent: "soup" };
      // The first call waits for the server to be known on this host.
      const options = { headers, onHeader, onTrailer, waitForReady: true, timeoutMs: 30_000 };
      assert.equal((await kitchen.echo({ text: "x" }, options)).text, "x");
      const raw = encodeBinaryHeader(bytes);
      assert.deepEqual(seen, ["header got=soup", `header raw-bin=${raw}`, "trailer cost=5"]);
      seen.length = 0;
      const error = await rejection(kitchen.fail({}, { onHeader, onTrailer }));
      assert.equal(error.status, Status.NOT_FOUND);
      assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, "SOLD_OUT");
      assert.deepEqual(seen, ["header before=the failure", "trailer why=told"]);
    });

    it("a call that is made for another one", { timeout: 60_000 }, async (t) => {
      const pair = await startPair(t, isFar);
      const aborted: HandlerContext[] = [];
      const traces: (string | undefined)[] = [];
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      await pair.serverMesh.serve({ name: "inner" }, (r) =>
        r.service(Kitchen, {
          echo: (request, context) => {
            traces.push(context.traceparent);
            assert.ok(context.timeoutMs! <= 30_000);
            return request;
          },
          wait: (_request, context) =>
            new Promise((_resolve, reject) => {
              context.signal.addEventListener("abort", () => {
                aborted.push(context);
                reject(context.signal.reason);
              });
            }),
        }),
      );
      const inner = pair.serverMesh.client(Kitchen, "inner");
      let isWaiting = false;
      const outer = await served(pair, {
        echo: (request, parent) => inner.echo(request, { parent, timeoutMs: 600_000 }),
        wait: (request, parent) => {
          isWaiting = true;
          return inner.wait(request, { parent });
        },
      });
      const headers = { traceparent };
      await outer.echo({}, { headers, waitForReady: true, timeoutMs: 30_000 });
      assert.deepEqual(traces, [traceparent]);
      const controller = new AbortController();
      const call = rejection(outer.wait({}, { signal: controller.signal }));
      await until("the outer handler runs", () => isWaiting);
      controller.abort();
      assert.equal((await call).status, Status.CANCELLED);
      await until("the inner handler is told", () => aborted.length === 1);
    });

    it("interceptors of both sides, and a limit for handlers", { timeout: 60_000 }, async (t) => {
      let running = 0;
      let most = 0;
      const stamp: Interceptor = (next) => async (req) => {
        const res = await next(req);
        res.header.set("server", req.header.get("client") ?? "");
        return res;
      };
      const pair = await startPair(t, isFar);
      await served(
        pair,
        {
          echo: async (request) => {
            most = Math.max(most, ++running);
            await new Promise((resolve) => setImmediate(resolve));
            running--;
            return request;
          },
        },
        { interceptors: [stamp], concurrency: 3 },
      );
      const headers: (string | null)[] = [];
      const sign: Interceptor = (next) => async (req) => {
        req.header.set("client", "signed");
        const res = await next(req);
        headers.push(res.header.get("server"));
        return res;
      };
      const client = pair.mesh.client(Kitchen, "kitchen", { interceptors: [sign] });
      await client.echo({}, { waitForReady: true, timeoutMs: 30_000 });
      await Promise.all(Array.from({ length: 50 }, () => client.echo({ text: "x" })));
      assert.deepEqual(new Set(headers), new Set(["signed"]));
      assert.equal(most, 3);
    });

    it("messages as bytes of protobuf", { timeout: 60_000 }, async (t) => {
      const pair = await startPair(t, isFar);
      await rawServe(pair.serverMesh, { name: "raw" }, Kitchen, {
        echo: (request: Uint8Array) => request,
      });
      const dish = create(DishSchema, {
        text: "€",
        data: new Uint8Array(70_000).fill(3),
        serial: -1n,
      });
      const request = toBinary(DishSchema, dish);
      const raw = rawClient(pair.mesh, Kitchen, "raw");
      const options = { waitForReady: true, timeoutMs: 30_000 };
      const reply = await raw.unary(Kitchen.method.echo, request, options);
      assert.deepEqual(fromBinary(DishSchema, new Uint8Array(reply)), dish);
      assert.deepEqual(await pair.mesh.client(Kitchen, "raw").echo(dish), dish);
    });
  });
}

it("two meshes of one process know nothing of each other", { timeout: 60_000 }, async (t) => {
  const one = await startDaemon(t, { name: "one" });
  const other = await startDaemon(t, { name: "other" });
  const meshes = await Promise.all(
    [one, other, one].map(({ prefix }, i) => connect({ prefix, name: `app ${i}` })),
  );
  for (const mesh of meshes) atEnd(t, () => mesh.close({ graceMs: 0 }));
  const clients = await Promise.all(
    meshes.map(async (mesh, i) => {
      await mesh.serve({ name: `kitchen ${i}` }, (r) =>
        r.service(Kitchen, { echo: () => ({ text: String(i) }) }),
      );
      return mesh.client(Kitchen, `kitchen ${i}`);
    }),
  );
  const replies = await Promise.all(clients.map((client) => client.echo({})));
  assert.deepEqual(
    replies.map(({ text }) => text),
    ["0", "1", "2"],
  );
  // The third one is on the same daemon as the first one, not as the second one.
  assert.equal((await meshes[0]!.client(Kitchen, "kitchen 2").echo({})).text, "2");
  const error = await rejection(meshes[1]!.client(Kitchen, "kitchen 2").echo({}));
  assert.equal(error.status, Status.UNAVAILABLE);
  await meshes[0]!.close();
  assert.equal((await clients[2]!.echo({})).text, "2");
});

/** Headers of a response without an entry: who waits for them sees that the response has begun. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import type * as grpc from "@grpc/grpc-js";
import { koalaTransport } from "@koala/connect";
import { koalaChannel } from "@koala/grpc-js";
import type { HandlerContext, Mesh } from "@koala/mrpc";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { type Daemon, startCluster, untilKnown } from "../stage/cluster.ts";
import { startGateway } from "../stage/gateway.ts";
import { GrpcClient } from "../stage/grpc-client.ts";
import { connectTo } from "../stage/kitchen.ts";

const { talk, list } = Probe.method;

/** Serves the probe; what it sends, it sends when it is told to. */
async function serveQuiet(test: TestContext, daemon: Daemon): Promise<() => void> {
  let go = (): void => {};
  const told = async (context: HandlerContext): Promise<void> => {
    const waiting = new Promise<void>((resolve) => {
      go = resolve;
    });
    context.sendHeader();
    await waiting;
  };
  const mesh = await connectTo(test, daemon);
  await mesh.serve({ name: "probe" }, (router) =>
    router.service(Probe, {
      async echo(note, context) {
        await told(context);
        return note;
      },
      async *list(_request, context) {
        await told(context);
        context.responseHeader.set("x-late", "1");
        yield { number: 1 };
      },
      async *talk(notes, context) {
        context.sendHeader();
        yield* notes;
      },
    }),
  );
  return () => go();
}

describe("headers that are empty", { timeout: 60_000 }, () => {
  it("come to clients of grpc-js before anything else", async (t) => {
    const { a, b } = await startCluster(t);
    const go = await serveQuiet(t, b);
    await untilKnown(a, "probe");
    const { address } = await startGateway(t, a);
    const mesh = await connectTo(t, a);
    const clients = [
      new GrpcClient(t, "unused", { channelOverride: koalaChannel("probe", { mesh }) }),
      new GrpcClient(t, address),
    ];
    for (const client of clients) {
      const stream = client.bidi(talk);
      const [header] = (await once(stream, "metadata")) as [grpc.Metadata];
      assert.deepEqual(header.get("x-late"), []);
      stream.write(create(NoteSchema, { text: "first" }));
      const [note] = (await once(stream, "data")) as [{ text: string }];
      assert.equal(note.text, "first");
      const ended = once(stream, "end");
      stream.end();
      await ended;

      const notes = client.serverStream(list, {});
      const data: unknown[] = [];
      notes.on("data", (each) => data.push(each));
      const over = once(notes, "end");
      await once(notes, "metadata");
      assert.equal(data.length, 0);
      go();
      await over;
      assert.equal(data.length, 1);
    }
  });

  it("come to clients of connect-es, and to Koala's own", async (t) => {
    const { a, b } = await startCluster(t);
    const go = await serveQuiet(t, b);
    await untilKnown(a, "probe");
    const mesh = await connectTo(t, a);
    const seen: Headers[] = [];
    const onHeader = (header: Headers): void => {
      seen.push(header);
      go();
    };
    const theirs = createClient(Probe, koalaTransport("probe", { mesh }));
    const ours = mesh.client(Probe, "probe");
    const intercepted = clientBehind(mesh);
    for (const client of [theirs, ours, intercepted]) {
      seen.length = 0;
      const numbers: number[] = [];
      for await (const { number } of client.list({}, { onHeader })) numbers.push(number);
      assert.deepEqual(numbers, [1]);
      assert.equal(seen.length, 1);
      // It was set behind those that had gone.
      assert.equal(seen[0]?.get("x-late"), null);
    }
    seen.length = 0;
    assert.equal((await ours.echo({ text: "one" }, { onHeader })).text, "one");
    assert.equal(seen.length, 1);
  });
});

function clientBehind(mesh: Mesh): ReturnType<typeof mesh.client<typeof Probe>> {
  return mesh.client(Probe, "probe", { interceptors: [(next) => (request) => next(request)] });
}

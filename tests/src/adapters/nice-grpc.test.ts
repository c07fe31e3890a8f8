/** An unmodified client of nice-grpc over Koala. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { koalaChannel } from "@koala/grpc-js";
import { until } from "@koala/testing";
import {
  type CallOptions,
  ClientError,
  createClient,
  createClientFactory,
  Metadata,
  Status,
  waitForChannelReady,
} from "nice-grpc";
import { atEnd, startCluster, startDaemon } from "../stage/cluster.ts";
import { serveProbe } from "../stage/gateway.ts";

const includeDirs = [fileURLToPath(new URL("../../proto/", import.meta.url))];
const loaded = loadSync("test/v1/probe.proto", { includeDirs, defaults: true });
/** With the names of methods as generators have them. */
const definition: ServiceDefinition = Object.fromEntries(
  Object.entries(loaded["test.v1.Probe"] as ServiceDefinition).map(([key, method]) => [
    method.originalName ?? key,
    method,
  ]),
);

interface Note {
  text?: string;
  data?: Uint8Array;
  number?: number;
}

/** Definitions of proto-loader have no types. */
interface ProbeClient {
  echo(note: Note, options?: CallOptions): Promise<Note>;
  fail(failure: { status: number; message: string }, options?: CallOptions): Promise<Note>;
  list(count: object, options?: CallOptions): AsyncIterable<Note>;
  collect(notes: AsyncIterable<Note>, options?: CallOptions): Promise<Note>;
  talk(notes: AsyncIterable<Note>, options?: CallOptions): AsyncIterable<Note>;
}

async function* notes(count: number): AsyncGenerator<Note> {
  for (let number = 0; number < count; number++) yield { number, text: "." };
}

describe("a client of nice-grpc over Koala", { timeout: 120_000 }, () => {
  it("makes calls of all kinds to another host", async (t) => {
    const { a, b } = await startCluster(t);
    await serveProbe(t, b);
    const channel = koalaChannel("probe", { prefix: a.prefix });
    atEnd(t, () => channel.close());
    await waitForChannelReady(channel, new Date(Date.now() + 20_000));
    const probe = createClient(definition, channel) as unknown as ProbeClient;

    const metadata = Metadata({ "x-a": "b", "x-c-bin": Buffer.from([1, 2]) });
    let header: Metadata | undefined;
    let trailer: Metadata | undefined;
    const reply = await probe.echo(
      { text: "hi" },
      {
        metadata,
        onHeader: (received) => {
          header = received;
        },
        onTrailer: (received) => {
          trailer = received;
        },
      },
    );
    assert.equal(reply.text, "hi");
    assert.equal(header?.get("x-a"), "b");
    assert.deepEqual(trailer?.get("c-bin"), Buffer.from([1, 2]));

    let read = 0;
    for await (const { number } of probe.list({ notes: 300 })) assert.equal(number, read++);
    assert.equal(read, 300);
    assert.equal((await probe.collect(notes(300))).number, 300);
    const heard: (number | undefined)[] = [];
    for await (const { number } of probe.talk(notes(50))) heard.push(number);
    assert.deepEqual(
      heard,
      Array.from({ length: 50 }, (_, index) => index),
    );
  });

  it("fails, is aborted, and leaves streams early", async (t) => {
    const daemon = await startDaemon(t);
    const log = await serveProbe(t, daemon);
    const channel = koalaChannel("probe", { prefix: daemon.prefix });
    atEnd(t, () => channel.close());
    const seen: string[] = [];
    const probe = createClientFactory()
      .use(async function* (call, options) {
        seen.push(call.method.path);
        return yield* call.next(call.request, options);
      })
      .create(definition, channel) as unknown as ProbeClient;

    await assert.rejects(probe.fail({ status: 7, message: "no" }), (error) => {
      assert.ok(error instanceof ClientError);
      assert.deepEqual([error.code, error.details], [Status.PERMISSION_DENIED, "no"]);
      return true;
    });
    assert.deepEqual(seen, ["/test.v1.Probe/Fail"]);

    const controller = new AbortController();
    const aborted = probe.echo({ text: "late" }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(aborted, { name: "AbortError" });
    await until("the handler knows", () => log.ended.length === 1);

    for await (const { number } of probe.list({ notes: 1, hold: true })) {
      assert.equal(number, 0);
      break;
    }
    await until("the handler knows", () => log.ended.length === 2);
    assert.deepEqual(log.ended, ["CANCELLED", "CANCELLED"]);
  });
});

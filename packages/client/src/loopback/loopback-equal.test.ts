// A mesh within the process does what a mesh with a daemon does.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallOptions } from "../calls/call-options.ts";
import type { Client } from "../calls/client.ts";
import { RpcError } from "../errors/rpc-error.ts";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { Status, startDaemon, startMesh } from "../mesh/mesh-helper.test.ts";
import type { ServiceImpl } from "../serving/service-export.ts";
import { loopback } from "./loopback.ts";

const impl: ServiceImpl<typeof Echo> = {
  say({ text, number }, context) {
    context.responseTrailer.set("trailer", "t");
    if (text === "throw") throw new RpcError(Status.DATA_LOSS, "gone", { metadata: [["m", "1"]] });
    if (text === "type error") throw new TypeError("oops");
    if (text === "rejected") return Promise.reject(new RpcError(Status.ABORTED, ""));
    if (text === "bad result") return { number: 2 ** 40 };
    if (text === "no result") return undefined as never;
    if (text === "bad trailer") context.responseTrailer.set("a-bin", "!");
    return {
      text: `${text} ${context.metadata.join()} ${context.timeoutMs === undefined}`,
      number,
    };
  },
  async *watch({ number, text }) {
    for (let i = 0; i < number; i++) yield { number: i };
    if (text === "throw") throw new RpcError(Status.DATA_LOSS, "in the middle");
    if (text === "bad result") yield { number: 2 ** 40 };
  },
  async sum(requests) {
    let number = 0;
    for await (const request of requests) {
      number += request.number;
      if (number > 100) break;
    }
    return { number };
  },
};

type Scenario = (client: Client<typeof Echo>, options: CallOptions) => Promise<unknown>;

async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const message of messages) list.push(message);
  return list;
}

async function* failing(): AsyncGenerator<{ number: number }> {
  yield { number: 1 };
  throw new Error("disk full");
}

async function* endless(): AsyncGenerator<{ number: number }> {
  for (;;) yield { number: 1 };
}

const scenarios: Record<string, Scenario> = {
  "a result": (c, o) => c.say({ text: "hello", number: -1, tags: ["a"] }, o),
  "headers and time": (c, o) => c.say({}, { ...o, metadata: [["k", "v"]], timeoutMs: 100_000 }),
  "an RpcError": (c, o) => c.say({ text: "throw" }, o),
  "a TypeError": (c, o) => c.say({ text: "type error" }, o),
  "a rejection": (c, o) => c.say({ text: "rejected" }, o),
  "a result that does not fit": (c, o) => c.say({ text: "bad result" }, o),
  "no result": (c, o) => c.say({ text: "no result" }, o),
  "trailers that are none": (c, o) => c.say({ text: "bad trailer" }, o),
  "a request that does not fit": (c, o) => c.say({ number: 0.5 }, o),
  "no request": (c, o) => c.say(null as never, o),
  "headers that are none": (c, o) => c.say({}, { ...o, headers: { "a-bin": "!" } }),
  "too many headers": (c, o) => c.say({}, { ...o, metadata: [["a", "x".repeat(20_000)]] }),
  "no time": (c, o) => c.say({}, { ...o, timeoutMs: -1 }),
  "a time that is none": (c, o) => c.say({}, { ...o, timeoutMs: Number.NaN }),
  "aborted before": (c, o) => c.say({}, { ...o, signal: AbortSignal.abort() }),
  "no handler": (c, o) => c.missing({}, o),
  "no handler of a stream": (c, o) => all(c.chat([], o)),
  "a stream": (c, o) => all(c.watch({ number: 30 }, o)),
  "a stream that fails": (c, o) => all(c.watch({ number: 3, text: "throw" }, o)),
  "a stream with a bad message": (c, o) => all(c.watch({ number: 3, text: "bad result" }, o)),
  "a bad request of a stream": (c, o) => all(c.watch({ number: 0.5 }, o)),
  requests: (c, o) => c.sum([{ number: 1 }, { number: 2 }], o),
  "requests that fail": (c, o) => c.sum(failing(), o),
  "requests, one of which is bad": (c, o) => c.sum([{ number: 1 }, { number: 0.5 }], o),
  "more requests than are wanted": (c, o) => c.sum(endless(), o),
  "requests that are none": (c, o) => c.sum(7 as never, o),
};

/** All that a caller can see. */
async function outcome(client: Client<typeof Echo>, scenario: Scenario): Promise<unknown> {
  const seen: unknown[] = [];
  const onTrailerEntries = (entries: unknown): void => void seen.push(entries);
  try {
    const result = await scenario(client, { onTrailerEntries });
    return { result, seen };
  } catch (error) {
    assert.ok(error instanceof RpcError, String(error));
    const { status, reason, origin, metadata, details } = error;
    return { status, reason, origin, metadata, details: [...details], seen };
  }
}

for (const [name, scenario] of Object.entries(scenarios)) {
  test(`${name}: the same with and without a daemon`, async (t) => {
    const daemon = startDaemon(t);
    const mesh = await startMesh(t, daemon);
    await mesh.serve({ name: "echo" }, (r) => r.service(Echo, impl));
    const inner = loopback((r) => r.service(Echo, impl), { log: () => {} });
    const expected = await outcome(mesh.client(Echo, "echo"), scenario);
    assert.deepEqual(await outcome(inner.client(Echo, "echo"), scenario), expected);
  });
}

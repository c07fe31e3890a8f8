/** Streaming calls end to end: between two daemons, and within one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HandlerContext, RpcError, Status } from "@koala/mrpc";
import { until } from "@koala/testing";
import { assertBytes, pattern } from "../stage/byte-patterns.ts";
import { atEnd } from "../stage/cluster.ts";
import { endWithSuite } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";
import { type RiverStage, riverImpl, startRiver } from "../stage/river.ts";

const suiteMs = 200_000;
const miB = 1024 * 1024;

/** What a stream gives, and the error that it ends with. */
async function collect<T>(messages: AsyncIterable<T>): Promise<{ got: T[]; error?: RpcError }> {
  const got: T[] = [];
  try {
    for await (const message of messages) got.push(message);
    return { got };
  } catch (error) {
    assert.ok(error instanceof RpcError);
    return { got, error };
  }
}

/** Something that happens to a handler, for a test to wait for. */
class Events {
  readonly seen: string[] = [];

  add(event: string): void {
    this.seen.push(event);
  }

  has(event: string): boolean {
    return this.seen.includes(event);
  }
}

for (const hosts of [1, 2]) {
  describe(`streams, ${hosts === 1 ? "one daemon" : "two daemons"}`, { timeout: suiteMs }, () => {
    const ending = endWithSuite();
    let shared: Promise<RiverStage> | null = null;
    /** The daemons and the server that tests share which leave them as they are. */
    const stage = (): Promise<RiverStage> => {
      shared ??= startRiver(ending, hosts);
      return shared;
    };

    it("brings messages of each kind of call, in order", async () => {
      const { river } = await stage();
      const { got } = await collect(river.flow({ count: 20_000 }));
      assert.equal(got.length, 20_000);
      assert.ok(got.every(({ serial }, i) => serial === BigInt(i)));
      const drops = Array.from({ length: 20_000 }, (_, i) => ({ serial: BigInt(i) }));
      const basin = await river.collect(drops);
      assert.equal(basin.count, 20_000);
      assert.equal(basin.serials, 199_990_000n);
      const back = await collect(river.mirror(drops));
      assert.ok(back.got.every(({ serial }, i) => serial === BigInt(i)));
      assert.equal(back.got.length, 20_000);
      assert.equal((await collect(river.flow({ count: 0 }))).got.length, 0);
      assert.equal((await river.collect([])).count, 0);
    });

    it("brings messages of all sizes there and back", async () => {
      const { river } = await stage();
      const sizes = [0, 3, 500, 4095, 4096, 17_000, 65_536, 1, 300_000, 2 * miB, 12, 5 * miB, 9];
      const drops = (function* () {
        for (const [i, size] of sizes.entries()) {
          yield { serial: BigInt(i), data: pattern(size, i), text: "€".repeat(size / 7) };
        }
      })();
      let i = 0;
      for await (const { serial, data, text } of river.mirror(drops)) {
        assert.equal(serial, BigInt(i));
        assertBytes(data, pattern(sizes[i]!, i));
        assert.equal(text.length, Math.floor(sizes[i]! / 7));
        i++;
      }
      assert.equal(i, sizes.length);
    });

    it("brings 200 streams at once to their own ends, with calls between them", async () => {
      const { river } = await stage();
      const runs = Array.from({ length: 200 }, async (_, i) => {
        const drops = Array.from({ length: 20 }, (_, k) => ({ serial: BigInt(i * 100 + k) }));
        const { got, error } = await collect(river.mirror(drops));
        assert.equal(error, undefined);
        assert.deepEqual(
          got.map(({ serial }) => serial),
          drops.map(({ serial }) => serial),
        );
        assert.equal((await river.still({ serial: BigInt(i) })).serial, BigInt(i));
      });
      await Promise.all(runs);
    });

    it("answers one message after the other", async () => {
      const { river } = await stage();
      let next: () => void = () => {};
      const drops = (async function* () {
        for (let i = 0n; i < 200n; i++) {
          const answered = new Promise<void>((resolve) => {
            next = resolve;
          });
          yield { serial: i };
          await answered;
        }
      })();
      let count = 0;
      for await (const { serial } of river.mirror(drops)) {
        assert.equal(serial, BigInt(count++));
        next();
      }
      assert.equal(count, 200);
    });

    it("stops a writer whose reader has stopped, and lets others through", async (t) => {
      let asked = 0;
      const { river } = await startRiver(t, hosts, {
        ...riverImpl,
        async *flow({ bytes }) {
          const data = new Uint8Array(bytes);
          for (asked = 1; ; asked++) yield { serial: BigInt(asked), data };
        },
      });
      const iterator = river.flow({ bytes: 2000 })[Symbol.asyncIterator]();
      await iterator.next();
      let before = -1;
      await until("the writer stops", async () => {
        before = asked;
        await Promise.all(Array.from({ length: 20 }, () => river.still({})));
        return asked === before;
      });
      assert.ok(asked < 400, `${asked} messages of 2 kB on their way`);
      for (let i = 2; i <= before; i++) {
        assert.equal((await iterator.next()).value?.serial, BigInt(i));
      }
      await until("the writer goes on", () => asked > before);
      await iterator.return?.();
    });

    it("tells the handler when the caller leaves, aborts or has no time left", async (t) => {
      const events = new Events();
      const { river } = await startRiver(t, hosts, {
        ...riverImpl,
        async *mirror(drops, context) {
          const name = context.requestHeader.get("name") ?? "";
          context.signal.addEventListener("abort", () => {
            events.add(`${name} signal ${context.signal.reason.statusName}`);
          });
          try {
            for await (const drop of drops) yield drop;
          } catch (error) {
            events.add(`${name} requests ${(error as RpcError).statusName}`);
            throw error;
          } finally {
            events.add(`${name} over`);
          }
        },
      });
      const open = new AbortController();
      const drops = async function* (): AsyncGenerator<{ serial: bigint }> {
        yield { serial: 1n };
        await new Promise((resolve) => open.signal.addEventListener("abort", resolve));
      };
      for await (const _ of river.mirror(drops(), { headers: { name: "left" } })) break;
      await until("the end of the first", () => events.has("left over"));
      assert.ok(events.has("left signal CANCELLED"));

      const controller = new AbortController();
      const { signal } = controller;
      const aborted = river.mirror(drops(), { signal, headers: { name: "aborted" } });
      const iterator = aborted[Symbol.asyncIterator]();
      await iterator.next();
      const next = iterator.next();
      controller.abort();
      assert.equal((await rejection(next)).status, Status.CANCELLED);
      await until("the end of the second", () => events.has("aborted over"));
      assert.ok(events.has("aborted requests CANCELLED"));

      const late = river.mirror(drops(), { timeoutMs: 300, headers: { name: "late" } });
      const { error } = await collect(late);
      assert.equal(error?.status, Status.DEADLINE_EXCEEDED);
      await until("the end of the third", () => events.has("late over"));
      assert.ok(events.has("late requests DEADLINE_EXCEEDED"));
      assert.ok(events.has("late signal DEADLINE_EXCEEDED"));
      open.abort();
    });

    it("gives messages before the error of a handler, its trailers and its details", async (t) => {
      const { river } = await startRiver(t, hosts, {
        ...riverImpl,
        async *flow({ count, status }, context: HandlerContext) {
          context.responseHeader.set("spring", "fresh");
          for (let i = 0; i < count; i++) yield { serial: BigInt(i) };
          context.responseTrailer.set("mouth", "sea");
          if (status !== 0) throw new RpcError(status as Status, "dammed");
        },
      });
      const seen: string[] = [];
      const options = {
        onHeader: (headers: Headers) => void seen.push(`spring ${headers.get("spring")}`),
        onTrailer: (headers: Headers) => void seen.push(`mouth ${headers.get("mouth")}`),
      };
      const failed = await collect(river.flow({ count: 500, status: Status.ABORTED }, options));
      assert.equal(failed.got.length, 500);
      assert.equal(failed.error?.status, Status.ABORTED);
      assert.equal(failed.error?.reason, "dammed");
      assert.equal(failed.error?.origin, "remote-app");
      assert.deepEqual(seen.splice(0), ["spring fresh", "mouth sea"]);
      assert.equal((await collect(river.flow({ count: 2 }, options))).got.length, 2);
      assert.deepEqual(seen, ["spring fresh", "mouth sea"]);
    });

    it("lets a handler answer before its requests have ended", async (t) => {
      const events = new Events();
      const { river } = await startRiver(t, hosts, {
        ...riverImpl,
        async collect(drops) {
          for await (const _ of drops) break;
          return { count: 1 };
        },
      });
      const endless = (async function* () {
        try {
          for (let i = 0n; ; i++) yield { serial: i };
        } finally {
          events.add("told");
        }
      })();
      assert.equal((await river.collect(endless)).count, 1);
      await until("the source is told", () => events.has("told"));
      assert.equal((await river.still({ serial: 3n })).serial, 3n);
    });

    it("cuts streams that outlast the grace time of a server", async (t) => {
      const { river, server } = await startRiver(t, hosts, {
        ...riverImpl,
        async *flow() {
          for (let i = 0n; ; i++) yield { serial: i };
        },
      });
      const iterator = river.flow({})[Symbol.asyncIterator]();
      await iterator.next();
      assert.deepEqual(await server.close({ graceMs: 50 }), { cut: 1 });
      const { error } = await collect({ [Symbol.asyncIterator]: () => iterator });
      assert.equal(error?.status, Status.UNAVAILABLE);
      assert.equal(error?.origin, "remote-app");
    });

    it("ends streams with UNAVAILABLE when a daemon is gone", async (t) => {
      const events = new Events();
      const { river, daemons } = await startRiver(t, hosts, {
        ...riverImpl,
        async collect(drops, context) {
          context.signal.addEventListener("abort", () => events.add("aborted"));
          try {
            for await (const _ of drops) events.add("drop");
          } catch (error) {
            events.add((error as RpcError).statusName);
          }
          return {};
        },
      });
      const open = new AbortController();
      atEnd(t, () => open.abort());
      const drops = (async function* () {
        yield {};
        await new Promise((resolve) => open.signal.addEventListener("abort", resolve));
      })();
      const basin = rejection(river.collect(drops));
      await until("a drop arrives", () => events.has("drop"));
      await daemons.client.kill();
      assert.equal((await basin).status, Status.UNAVAILABLE);
      await until("the handler's requests end", () => events.has("aborted"));
      const status = hosts === 1 ? "UNAVAILABLE" : "CANCELLED";
      await until("and its iteration", () => events.has(status) || events.has("UNAVAILABLE"));
    });
  });
}

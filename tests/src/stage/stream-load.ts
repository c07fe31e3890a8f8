/** Streams without pause, of every kind at once, each of which must bring all its messages in order. */
import assert from "node:assert/strict";
import { type Client, connect, type Mesh } from "@koala/mrpc";
import { type Ending, until } from "@koala/testing";
import { River } from "../gen/test/v1/river_pb.ts";
import { atEnd, type Daemon } from "./cluster.ts";

/** Of the data of messages, in turns, bytes. */
const sizes = [0, 40, 1, 300, 5000, 0, 0, 20_000, 8, 300_000];
const messages = 60;

function dataOf(serial: number): Uint8Array {
  return new Uint8Array(sizes[serial % sizes.length]!).fill(serial);
}

async function* drops(): AsyncIterable<{ serial: bigint; data: Uint8Array }> {
  for (let i = 0; i < messages; i++) yield { serial: BigInt(i), data: dataOf(i) };
}

function assertDrop(drop: { serial: bigint; data: Uint8Array }, expected: number): void {
  assert.equal(drop.serial, BigInt(expected));
  const data = dataOf(expected);
  assert.equal(drop.data.length, data.length);
  assert.equal(Buffer.compare(drop.data, data), 0);
}

export class StreamLoad {
  /** Streams that have ended well. */
  done = 0;
  private readonly river: Client<typeof River>;
  private failure: unknown;
  private isStopped = false;
  private readonly loops: Promise<void>[];

  constructor(river: Client<typeof River>, each: number) {
    this.river = river;
    const kinds = [() => this.flow(), () => this.collect(), () => this.mirror()];
    this.loops = kinds.flatMap((run) => Array.from({ length: each }, () => this.loop(run)));
  }

  /** Waits for so many further streams; throws what went wrong. */
  async more(streams: number): Promise<void> {
    const wanted = this.done + streams;
    await until(`${streams} further streams`, () => {
      if (this.failure !== undefined) throw this.failure;
      return this.done >= wanted;
    });
  }

  /** Lets the streams that are open end; throws what went wrong. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.loops);
    if (this.failure !== undefined) throw this.failure;
  }

  private async loop(run: () => Promise<void>): Promise<void> {
    while (!this.isStopped && this.failure === undefined) {
      try {
        await run();
        this.done++;
      } catch (error) {
        this.failure ??= error;
      }
    }
  }

  private async flow(): Promise<void> {
    let count = 0;
    for await (const drop of this.river.flow({ count: messages }, { timeoutMs: 60_000 })) {
      assertDrop(drop, count++);
    }
    assert.equal(count, messages);
  }

  private async collect(): Promise<void> {
    const { count, serials } = await this.river.collect(drops(), { timeoutMs: 60_000 });
    assert.equal(count, messages);
    assert.equal(serials, BigInt((messages * (messages - 1)) / 2));
  }

  private async mirror(): Promise<void> {
    let count = 0;
    for await (const drop of this.river.mirror(drops(), { timeoutMs: 60_000 })) {
      assertDrop(drop, count++);
    }
    assert.equal(count, messages);
  }
}

/** Offers `river` at one daemon. */
export async function serveRiver(t: Ending, server: Pick<Daemon, "prefix">): Promise<Mesh> {
  const mesh = await connect({ prefix: server.prefix, name: "river" });
  atEnd(t, () => mesh.close({ graceMs: 0 }));
  await mesh.serve({ name: "river" }, (router) =>
    router.service(River, {
      async *flow({ count }) {
        for (let i = 0; i < count; i++) yield { serial: BigInt(i), data: dataOf(i) };
      },
      async collect(requests) {
        let count = 0;
        let serials = 0n;
        for await (const drop of requests) {
          assertDrop(drop, count++);
          serials += drop.serial;
        }
        return { count, serials };
      },
      async *mirror(requests) {
        let count = 0;
        for await (const drop of requests) {
          assertDrop(drop, count++);
          yield drop;
        }
      },
    }),
  );
  return mesh;
}

/** Offers `river` at one daemon and calls it from another one, or the same; `each` streams of each kind at once. */
export async function startStreams(
  t: Ending,
  client: Pick<Daemon, "prefix">,
  server: Pick<Daemon, "prefix">,
  each: number,
): Promise<StreamLoad> {
  await serveRiver(t, server);
  const mesh = await connect({ prefix: client.prefix, name: "rower" });
  atEnd(t, () => mesh.close());
  const river = mesh.client(River, "river");
  await until("the first stream", async () => {
    try {
      for await (const _ of river.flow({ count: 1 })) return true;
    } catch {
      // The daemons have not told each other yet.
    }
    return false;
  });
  const load = new StreamLoad(river, each);
  atEnd(t, () => load.stop().catch(() => {}));
  return load;
}

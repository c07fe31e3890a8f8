/** Streams of every kind that are in the middle when something is killed: some move, of some the reader has stopped. */
import { type Client, RpcError, type ServiceImpl, Status } from "@koala/mrpc";
import { until } from "@koala/testing";
import type { Drop, River } from "../gen/test/v1/river_pb.ts";

/** More than a test can read. */
const endless = 0x7fffffff;
/** Of the data of a message: many in one block, alone in a block, with a segment. */
const sizes: readonly number[] = [0, 10, 300, 5000, 0, 40_000];
/** What the first message of a stream says whose handler is to stop reading. */
const stall = "stall";
/** Messages that a moving stream gets through before it counts as one that moves. */
const movedMin = 50;

/** What went wrong with a stream, or a handler. */
type Failure = Promise<RpcError>;

async function failureOf(what: string, running: Promise<unknown>): Failure {
  try {
    await running;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error(`${what} has ended well`);
}

/** Messages without end, of which each eighth lets others have their turn. */
async function* drops(
  first: string,
  onSent: () => void,
): AsyncGenerator<{ serial: bigint; text: string; data: Uint8Array }> {
  for (let i = 0; ; i++) {
    if (i % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    onSent();
    const data = new Uint8Array(sizes[i % sizes.length]!);
    yield { serial: BigInt(i), text: i === 0 ? first : "", data };
  }
}

/** Six streams of one caller: one of each kind that moves, and one of each kind whose reader stops. */
export class OpenStreams {
  /** By stream: messages that it has read; where there is none to read, those it has sent. */
  private readonly counts: number[] = [];
  private readonly failing: Failure[] = [];
  private readonly abort: AbortController = new AbortController();
  private goOn: () => void = () => {};

  constructor(river: Client<typeof River>) {
    const { signal } = this.abort;
    const stopped = new Promise<void>((resolve) => {
      this.goOn = resolve;
    });
    const nothing = (): void => {};
    this.add("flow", (count) =>
      this.read(river.flow({ count: endless, bytes: 500 }, { signal }), count),
    );
    this.add("collect", (count) => river.collect(drops("", count), { signal }));
    this.add("mirror", (count) => this.read(river.mirror(drops("", nothing), { signal }), count));
    this.add("flow, not read", (count) =>
      this.read(river.flow({ count: endless, bytes: 40_000 }, { signal }), count, stopped),
    );
    this.add("collect, not read", (count) => river.collect(drops(stall, count), { signal }));
    this.add("mirror, not read", (count) =>
      this.read(river.mirror(drops("", nothing), { signal }), count, stopped),
    );
  }

  /** Waits until all streams have begun, and those that move have moved on. */
  async moving(): Promise<void> {
    const before = [...this.counts];
    await until(`messages of all streams (${this.counts})`, () =>
      this.counts.every((count, i) => count > (i < 3 ? before[i]! + movedMin : 0)),
    );
  }

  /** How each has ended, once all have; those that have stopped read what has come first. */
  async failures(): Promise<RpcError[]> {
    this.goOn();
    return await Promise.all(this.failing);
  }

  /** Leaves all of them. */
  async leave(): Promise<void> {
    this.abort.abort();
    for (const { status } of await this.failures()) {
      if (status !== Status.CANCELLED) throw new Error(`a stream has ended with ${status}`);
    }
  }

  private add(name: string, run: (count: () => void) => Promise<unknown>): void {
    const index = this.counts.push(0) - 1;
    const failing = failureOf(
      name,
      run(() => {
        this.counts[index]!++;
      }),
    );
    // Asked for later.
    failing.catch(() => {});
    this.failing.push(failing);
  }

  private async read(
    stream: AsyncIterable<Drop>,
    count: () => void,
    pause?: Promise<void>,
  ): Promise<void> {
    for await (const _ of stream) {
      count();
      await pause;
    }
  }
}

/** Handlers of `River` that note how their calls end for them. */
export class HandlerEnds {
  /** Calls that have begun. */
  begun = 0;
  /** Of those that have ended early: what their signal says. */
  readonly reasons: RpcError[] = [];

  readonly impl: ServiceImpl<typeof River>;

  constructor() {
    const note = (signal: AbortSignal): void => this.note(signal);
    this.impl = {
      async *flow({ count, bytes }, { signal }) {
        note(signal);
        const data = new Uint8Array(bytes);
        for (let serial = 0; serial < count; serial++) yield { serial: BigInt(serial), data };
      },
      async collect(requests, { signal }) {
        note(signal);
        for await (const { text } of requests) if (text === stall) await over(signal);
        return {};
      },
      async *mirror(requests, { signal }) {
        note(signal);
        yield* requests;
      },
      still: (drop) => drop,
    };
  }

  /** Waits until so many calls have ended early; why. */
  async ended(count: number): Promise<readonly RpcError[]> {
    await until(`${count} handlers to be told`, () => this.reasons.length >= count);
    return this.reasons;
  }

  private note(signal: AbortSignal): void {
    this.begun++;
    signal.addEventListener("abort", () => this.reasons.push(signal.reason), { once: true });
  }
}

function over(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}

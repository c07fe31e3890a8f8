/** Calls without pause, so many at once, each of which must end well and with its own reply. */
import assert from "node:assert/strict";
import { until } from "@koala/testing";
import type { Depot } from "./faults-service.ts";

export class DepotLoad {
  done = 0;
  private readonly depot: Depot;
  private readonly sizes: readonly number[];
  private failure: unknown;
  private isStopped = false;
  private readonly loops: Promise<void>[];

  /** Sends messages of these sizes in turns. */
  constructor(depot: Depot, callsAtOnce: number, sizes: readonly number[]) {
    this.depot = depot;
    this.sizes = sizes;
    this.loops = Array.from({ length: callsAtOnce }, (_, index) => this.loop(index));
  }

  /** Waits for so many further calls; throws what went wrong. */
  async more(calls: number): Promise<void> {
    const wanted = this.done + calls;
    await until(`${calls} further calls`, () => {
      if (this.failure !== undefined) throw this.failure;
      return this.done >= wanted;
    });
  }

  /** Lets the calls in flight end; throws what went wrong. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.loops);
    if (this.failure !== undefined) throw this.failure;
  }

  private async loop(index: number): Promise<void> {
    for (let i = index; !this.isStopped && this.failure === undefined; i++) {
      const data = new Uint8Array(this.sizes[i % this.sizes.length]!).fill(i);
      try {
        const reply = await this.depot.echo({ amount: i, data }, { timeoutMs: 60_000 });
        assert.equal(reply.amount, i);
        assert.equal(Buffer.compare(reply.data, data), 0);
        this.done++;
      } catch (error) {
        this.failure ??= error;
      }
    }
  }
}

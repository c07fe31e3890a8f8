/**
 * A server and a client that behave, and call without pause: whatever happens to others, none of their
 * calls may fail.
 */
import assert from "node:assert/strict";
import { connect, type Mesh } from "@koala/mrpc";
import { type Ending, until } from "@koala/testing";
import { atEnd, type Daemon } from "./cluster.ts";
import { type Depot, depotOf, serveDepot } from "./faults-service.ts";

/** What it sends in turns: inline, larger than a ring of a page, with a segment, in chunks. */
const sizes: readonly number[] = [0, 100, 20_000, 300_000];
const callsAtOnce = 4;

export class HealthyPair {
  done = 0;
  readonly depot: Depot;
  private failure: unknown;
  private stopped = false;
  private readonly loops: Promise<void>[];

  constructor(depot: Depot) {
    this.depot = depot;
    this.loops = Array.from({ length: callsAtOnce }, (_, i) => this.loop(i));
  }

  /** No call has failed, and calls still end well. */
  async check(): Promise<void> {
    const before = this.done;
    await until("calls of the healthy pair", () => {
      if (this.failure !== undefined) throw this.failure;
      return this.done >= before + 2 * callsAtOnce;
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.loops);
    if (this.failure !== undefined) throw this.failure;
  }

  private async loop(index: number): Promise<void> {
    for (let i = index; !this.stopped && this.failure === undefined; i++) {
      const data = new Uint8Array(sizes[i % sizes.length]!).fill(i);
      try {
        const reply = await this.depot.echo({ amount: i, data }, { timeoutMs: 20_000 });
        assert.equal(reply.amount, i);
        assert.ok(
          Buffer.from(reply.data.buffer, reply.data.byteOffset, reply.data.length).equals(data),
        );
        this.done++;
      } catch (error) {
        this.failure ??= error;
      }
      // Leaves time to others on a small machine.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** An app of this process; closed with the test. */
export async function attachHere(test: Ending, daemon: Daemon, name: string): Promise<Mesh> {
  const mesh = await connect({ prefix: daemon.prefix, name });
  atEnd(test, () => mesh.close({ graceMs: 0 }));
  return mesh;
}

/** Starts a pair in this process; the test fails if one of its calls does. */
export async function startHealthyPair(
  test: Ending,
  clientDaemon: Daemon,
  serverDaemon: Daemon = clientDaemon,
): Promise<HealthyPair> {
  const server = await attachHere(test, serverDaemon, "healthy-server");
  await serveDepot(server, "healthy");
  const client = await attachHere(test, clientDaemon, "healthy-client");
  const depot = depotOf(client, "healthy");
  await until("the healthy pair's first call", () =>
    depot.echo({}).then(
      () => true,
      () => false,
    ),
  );
  const pair = new HealthyPair(depot);
  atEnd(test, () => pair.stop());
  return pair;
}

/** Streams of random shape, by seed: whatever they do, what arrives is what was sent, in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng, until } from "@koala/testing";
import { RpcError } from "../errors/rpc-error.ts";
import { Status } from "../mesh/mesh-helper.test.ts";
import { startStreams } from "./stream-helper.test.ts";

const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const streamsOfSeed = 25;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

for (const seed of seeds) {
  test(`seed ${seed}`, async (t) => {
    const prng = new Prng(seed);
    const roll = (n: number): number => prng.below(n);
    const { client, daemon, clientApp, serverApp } = await startStreams(
      t,
      {
        async *chat(requests, context) {
          const [, plan] = context.metadata[0]!;
          const [answers, pause, fails] = (plan as string).split(" ").map(Number);
          let count = 0;
          for await (const { number, body } of requests) {
            if (pause === 1) await turn();
            yield { number, body };
            if (++count === answers) {
              if (fails === 1) throw new RpcError(Status.ABORTED, "as planned");
              return;
            }
          }
        },
      },
      { callsMax: 8, ringSlots: 16 },
    );
    await Promise.all(
      Array.from({ length: streamsOfSeed }, async () => {
        const length = roll(120);
        const sizes = Array.from({ length }, () => roll(roll(4) === 0 ? 30_000 : 200));
        const [answers, leaves] = [1 + roll(200), 1 + roll(200)];
        const [pauses, fails, slow] = [roll(2), roll(2), roll(3) === 0];
        const requests = async function* (): AsyncGenerator<{ number: number; body: Uint8Array }> {
          for (const [number, size] of sizes.entries()) {
            if (slow) await turn();
            yield { number, body: new Uint8Array(size).fill(number) };
          }
        };
        const plan = `${answers} ${pauses} ${fails}`;
        let count = 0;
        let error: unknown;
        try {
          const responses = client.chat(requests(), { metadata: [["plan", plan]] });
          for await (const { number, body } of responses) {
            assert.equal(number, count);
            assert.equal(body.length, sizes[number]);
            assert.ok(body.every((byte) => byte === (number & 0xff)));
            if (++count === leaves) break;
          }
        } catch (caught) {
          error = caught;
        }
        const wanted = Math.min(length, answers, leaves);
        assert.equal(count, wanted, `plan ${plan}: ${(error as Error | undefined)?.message}`);
        const wasTold = fails === 1 && count === answers && count < leaves;
        assert.equal(
          error === undefined ? 0 : (error as RpcError).status,
          wasTold ? Status.ABORTED : 0,
        );
      }),
    );
    const inUse = (): number => clientApp.blocksInUse + serverApp.blocksInUse;
    await until("the memory is back", () => inUse() <= 12 && serverApp.forwarded.size === 0);
    assert.deepEqual(daemon.violations, []);
  });
}

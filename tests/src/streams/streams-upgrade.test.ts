/** Streams that go on while what carries them is replaced, and that end when one of their ends dies. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/mrpc";
import { until } from "@koala/testing";
import { River } from "../gen/test/v1/river_pb.ts";
import { type Daemon, startApp } from "../stage/cluster.ts";
import { connectTo, startTopology } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";
import { startRiver } from "../stage/river.ts";

const suiteMs = 200_000;

async function upgrade(daemon: Daemon): Promise<void> {
  const answer = await daemon.upgrade();
  assert.equal(answer.failed, 0);
  await until("the new process serves", () => daemon.currentPid() === answer.to.pid);
}

describe("streams and what carries them", { timeout: suiteMs }, () => {
  for (const hosts of [1, 2]) {
    it(`go on through upgrades of daemons, ${hosts === 1 ? "one daemon" : "two daemons"}`, async (t) => {
      const { river, daemons } = await startRiver(t, hosts);
      let isOver = false;
      let sent = 0n;
      const drops = (async function* () {
        for (; !isOver; sent++) {
          // A pause now and then, so that some messages go alone.
          if (sent % 50n === 0n) await new Promise((resolve) => setImmediate(resolve));
          yield { serial: sent, data: new Uint8Array(Number(sent % 97n) * 10) };
        }
      })();
      let got = 0n;
      const reading = (async () => {
        for await (const { serial, data } of river.mirror(drops)) {
          assert.equal(serial, got);
          assert.equal(data.length, Number(serial % 97n) * 10);
          got++;
        }
      })();
      const idle = river.flow({ count: 3000, bytes: 1000 })[Symbol.asyncIterator]();
      await idle.next();
      for (const daemon of hosts === 1 ? [daemons.client] : [daemons.client, daemons.server]) {
        const before = got;
        await until("messages", () => got > before + 1000n);
        await upgrade(daemon);
      }
      const before = got;
      await until("messages behind the last upgrade", () => got > before + 1000n);
      isOver = true;
      await reading;
      assert.equal(got, sent);
      let count = 1;
      for (let next = await idle.next(); next.done !== true; next = await idle.next()) count++;
      assert.equal(count, 3000, "a stream that waited for its reader");
    });

    it(`end when the server's process dies, ${hosts === 1 ? "one daemon" : "two daemons"}`, async (t) => {
      const daemons = await startTopology(t, hosts);
      const child = startApp(t, daemons.server, "river-server", []);
      await child.line(/^serving$/);
      const river = (await connectTo(t, daemons.client)).client(River, "river");
      await river.still({}, { waitForReady: true });
      const iterator = river.mirror([{ serial: 1n }])[Symbol.asyncIterator]();
      const drops = async function* (): AsyncGenerator<{ serial: bigint }> {
        for (let i = 0n; ; i++) {
          await new Promise((resolve) => setImmediate(resolve));
          yield { serial: i };
        }
      };
      assert.equal((await iterator.next()).value?.serial, 1n);
      const endless = river.mirror(drops())[Symbol.asyncIterator]();
      assert.equal((await endless.next()).value?.serial, 0n);
      const basin = rejection(river.collect(drops()));
      child.kill();
      assert.equal((await basin).status, Status.UNAVAILABLE);
      const error = await rejection(
        (async () => {
          while ((await endless.next()).done !== true);
        })(),
      );
      assert.equal(error.status, Status.UNAVAILABLE);
      assert.equal(error.origin, "remote-app");
    });
  }
});

/** From 1 byte to 1 GB: messages of calls and of streams, between two hosts and on one. */
import assert from "node:assert/strict";
import { freemem } from "node:os";
import { it } from "node:test";
import { connect } from "@koala/mrpc";
import { River } from "../gen/test/v1/river_pb.ts";
import { atEnd, startCluster } from "../stage/cluster.ts";
import { rejection } from "../stage/rejection.ts";

const config = `[limits]\nmessage = "1GiB"\nsend_heap = "2GiB"\nreceive_heap = "2GiB"\n`;
const gigabyte = 1_000_000_000;
/** Sender, link, receiver: each has the message once, and the kernel a part of it. */
const memoryMin = 6 * gigabyte;

function dataOf(bytes: number): Uint8Array {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 4093) data[at] = at;
  return data;
}

function isWhole(data: Uint8Array, bytes: number): boolean {
  if (data.length !== bytes) return false;
  for (let at = 0; at < bytes; at += 4093) if (data[at] !== (at & 0xff)) return false;
  return true;
}

it("messages from 1 byte to 1 GB", { timeout: 400_000 }, async (t) => {
  const { a, b } = await startCluster(t, { config });
  const served = await connect({ prefix: b.prefix, name: "river" });
  atEnd(t, () => served.close({ graceMs: 0 }));
  await served.serve({ name: "river" }, (router) =>
    router.service(River, {
      still: ({ serial, data }) => ({ text: String(isWhole(data, Number(serial))) }),
      async collect(drops) {
        let bytes = 0n;
        for await (const { serial, data } of drops) {
          assert.ok(isWhole(data, Number(serial)));
          bytes += BigInt(data.length);
        }
        return { bytes };
      },
    }),
  );
  const far = await connect({ prefix: a.prefix, name: "far" });
  atEnd(t, () => far.close());
  const near = await connect({ prefix: b.prefix, name: "near" });
  atEnd(t, () => near.close());
  const [over, beside] = [far.client(River, "river"), near.client(River, "river")];
  await over.still({}, { waitForReady: true, timeoutMs: 60_000 });
  for (const river of [over, beside]) {
    for (const bytes of [1, 5000, 3_000_000, 80_000_000]) {
      const { text } = await river.still({ serial: BigInt(bytes), data: dataOf(bytes) });
      assert.equal(text, "true", `${bytes} bytes`);
    }
    const sizes = [1, 100_000_000, 70_000];
    const drops = sizes.map((bytes) => ({ serial: BigInt(bytes), data: dataOf(bytes) }));
    const { bytes } = await river.collect(drops);
    assert.equal(bytes, BigInt(sizes.reduce((sum, size) => sum + size)));
  }
  const larger = new Uint8Array(1_100_000_000);
  const refused = await rejection(over.still({ data: larger }));
  assert.equal(refused.statusName, "RESOURCE_EXHAUSTED");
  assert.match(refused.reason, /message/, "it names the setting");
  if (freemem() < memoryMin) {
    t.diagnostic(`1 GB was left out: it takes ${memoryMin / gigabyte} GB of free memory`);
    return;
  }
  const { text } = await over.still({ serial: BigInt(gigabyte), data: dataOf(gigabyte) });
  assert.equal(text, "true");
});

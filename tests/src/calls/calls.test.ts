/** Unary calls end to end: what is sent arrives. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type MetadataEntry, release, Status } from "@koala/mrpc";
import { DishSchema } from "../gen/test/v1/kitchen_pb.ts";
import { assertBytes, pattern } from "../stage/byte-patterns.ts";
import { describeKitchen } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";

/** For calls that would wait for ever if something were lost. */
const callMs = 20_000;
const kiB = 1024;
const miB = 1024 * 1024;

const dishes: readonly (readonly [string, MessageInitShape<typeof DishSchema>])[] = [
  ["an empty message", {}],
  ["a small message", { text: "soup", numbers: [1, -2, 3], serial: -(2n ** 63n) }],
  ["text of 100 kB beyond ASCII", { text: "€äöü🍜".repeat(7000) }],
  ["many small parts", { sides: manySides(500) }],
  ["1 MB of bytes", { text: "1 MB", data: pattern(miB, 1) }],
  [
    "two fields of bytes, 5 MB and 3 MB",
    { data: pattern(5 * miB, 2), moreData: pattern(3 * miB, 3) },
  ],
  ["bytes around the size of a page", { data: pattern(4096, 4), moreData: pattern(4097, 5) }],
];

function manySides(count: number): Record<string, { text: string; numbers: number[] }> {
  const sides = Array.from({ length: count }, (_, i) => [
    `side ${i}`,
    { text: `n${i}`, numbers: [i] },
  ]);
  return Object.fromEntries(sides);
}

describeKitchen("calls", (stage) => {
  it("brings more than a window of bytes as the first call of all", async () => {
    const data = pattern(3 * miB, 1);
    assertBytes((await stage().kitchen.echo({ data }, { timeoutMs: callMs })).data, data);
  });

  for (const [what, init] of dishes) {
    it(`brings ${what} there and back`, async () => {
      const sent = create(DishSchema, init);
      assert.deepEqual(await stage().kitchen.echo(sent), sent);
    });
  }

  it("brings 2,000 calls at once to their own replies", async () => {
    const { kitchen } = stage();
    const serials = Array.from({ length: 2000 }, (_, i) => BigInt(i));
    const replies = await Promise.all(
      serials.map((serial) => kitchen.echo({ serial, text: `call ${serial}` })),
    );
    assert.deepEqual(
      replies.map(({ serial, text }) => [serial, text]),
      serials.map((serial) => [serial, `call ${serial}`]),
    );
  });

  it("brings 40 calls with 1 MB at once through heaps and windows that they don't all fit in", async () => {
    const { kitchen } = stage();
    const bodies = Array.from({ length: 40 }, (_, i) => pattern(miB, i));
    const replies = await Promise.all(bodies.map((data) => kitchen.echo({ data })));
    for (const [i, { data }] of replies.entries()) assertBytes(data, bodies[i]!);
  });

  it("takes memory of the send heap as a field", async () => {
    const { kitchen, mesh } = stage();
    const data = mesh.bytes(2 * miB);
    data.set(pattern(2 * miB, 9));
    const { data: returned } = await kitchen.echo({ data });
    assertBytes(returned, pattern(2 * miB, 9));
  });

  it("gives views that read like messages, until they are released", async () => {
    const { kitchen } = stage();
    const sent = create(DishSchema, { text: "view", numbers: [4, 5], data: pattern(miB, 6) });
    const view = await kitchen.echo(sent, { view: true });
    assert.equal(view.text, "view");
    assert.deepEqual([...view.numbers], [4, 5]);
    assertBytes(view.data, sent.data);
    release(view);
  });
});

describeKitchen(
  "calls of a server with views",
  (stage) => {
    it("sends the bytes of a view on once", async () => {
      const { client, server, kitchen } = stage();
      const data = pattern(miB, 7);
      assertBytes((await kitchen.echo({ data }, { timeoutMs: callMs })).data, data);
      if (client === server) return;
      const { linkBytesOut } = (await server.status()).counters;
      assert.ok(linkBytesOut > miB && linkBytesOut < 1.5 * miB, `${linkBytesOut} bytes for 1 MiB`);
    });

    it("handlers give back what they were given", async () => {
      const sent = create(DishSchema, { text: "view", numbers: [1], data: pattern(miB, 7) });
      assert.deepEqual(await stage().kitchen.echo(sent), sent);
      const copies = await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          stage().kitchen.echo({ text: `${i}`, data: pattern(5000, i) }),
        ),
      );
      for (const [i, { text, data }] of copies.entries()) {
        assert.equal(text, `${i}`);
        assertBytes(data, pattern(5000, i));
      }
    });
  },
  { args: ["--view"] },
);

describeKitchen("metadata", (stage) => {
  it("reaches the handler, and its trailers the caller, text and bytes", async () => {
    const metadata: MetadataEntry[] = [
      ["x-text", "grüße"],
      ["x-twice", "1"],
      ["x-twice", "2"],
      ["x-empty", ""],
      ["x-bytes-bin", pattern(1000, 3)],
      ["x-no-bytes-bin", new Uint8Array(0)],
    ];
    let trailers: MetadataEntry[] = [];
    const onTrailer = (entries: MetadataEntry[]): void => {
      trailers = entries;
    };
    const reply = await stage().kitchen.context(
      {},
      { metadata, onTrailerEntries: onTrailer, timeoutMs: 60_000 },
    );
    assert.equal(reply.service, "test.v1.Kitchen");
    assert.equal(reply.method, "Context");
    assert.equal(reply.entryCount, metadata.length);
    assert.ok(reply.hasTimeout && reply.timeoutMs > 30_000 && reply.timeoutMs <= 60_000);
    assert.deepEqual(trailers, metadata);
  });

  it("that is too much is refused with the setting to raise", async () => {
    const metadata: MetadataEntry[] = [["x-long", "x".repeat(17 * kiB)]];
    const error = await rejection(stage().kitchen.context({}, { metadata }));
    assert.equal(error.status, Status.RESOURCE_EXHAUSTED);
    assert.match(error.message, /\[limits\] metadata/);
  });

  it("with a bad key is refused", async () => {
    const error = await rejection(stage().kitchen.context({}, { metadata: [["X-Case", "1"]] }));
    assert.equal(error.status, Status.INVALID_ARGUMENT);
    assert.match(error.message, /X-Case/);
  });
});

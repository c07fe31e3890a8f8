/**
 * Apps and peers that break the rules of streaming calls, one rule each: whoever broke it loses its
 * connection with a reason, and a pair of apps on both sides of a link does not notice.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Mesh } from "@koala/mrpc";
import {
  FrameFlag,
  FrameType,
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_COST,
  W_COUNT,
  W_INLINE_LENGTH,
  W_KIND,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
  W_STATUS,
  W_TARGET,
} from "@koala/protocol";
import { serviceSchemaOf } from "@koala/schema";
import { openMemory } from "@koala/shm";
import { type Ending, until } from "@koala/testing";
import { DropSchema, River, SourceSchema } from "../gen/test/v1/river_pb.ts";
import { type Cluster, startCluster } from "../stage/cluster.ts";
import { attachHere, type HealthyPair, startHealthyPair } from "../stage/faults-pair.ts";
import { outcomeOf } from "../stage/faults-service.ts";
import { type HostileApp, openHostileApp } from "../stage/hostile-app-helper.ts";
import {
  type HostileLink,
  jsonFrame,
  longFrame,
  openHostileLink,
  shortFrame,
} from "../stage/hostile-link-helper.ts";
import { nothingIsOpen } from "../stage/river-stage.ts";

const schema = serviceSchemaOf(River);
const [FLOW, COLLECT, MIRROR, STILL] = [0, 1, 2, 3] as const;
const codec = schema.methods[MIRROR]!.input;
const { MESSAGE, CREDIT, CALL, REPLY } = SlotKind;
const { END, HEADERS, FROM_CALLEE, NO_BLOCK, TRACE } = SlotFlag;
const { REQUEST, RESPONSE, CHUNK, CANCEL, STREAM_MESSAGE, STREAM_CREDIT, PING, PONG } = FrameType;
/** Where a test's records and its large message lie in the send heap. */
const recordsAt = 1 << 16;
const largeAt = 1 << 20;
const sourceAt = 1 << 15;
const miB = 1 << 20;

let cluster: Cluster;
let pair: HealthyPair;
const suite: (() => unknown)[] = [];
const ending: Ending = { after: (action) => suite.push(action) };

/** Serves a river whose handlers read nothing and answer when their caller gives up. */
async function serveFrozen(mesh: Mesh, name: string): Promise<void> {
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error("over")), { once: true }),
    );
  await mesh.serve({ name }, (routes) =>
    routes.service(River, {
      // biome-ignore lint/correctness/useYield: it gives nothing, on purpose
      async *flow(_, { signal }) {
        await never(signal);
      },
      collect: (_, { signal }) => never(signal),
      async *mirror(drops) {
        for await (const drop of drops) yield drop;
      },
      still: (drop) => drop,
    }),
  );
}

before(async () => {
  cluster = await startCluster(ending);
  pair = await startHealthyPair(ending, cluster.a, cluster.b);
  await serveFrozen(await attachHere(ending, cluster.b, "river-server"), "river");
});

async function assertAppEnded(app: HostileApp, reason: RegExp): Promise<void> {
  const closed = await app.end();
  assert.equal(closed.code, "ERR_APP_PROTOCOL");
  assert.match(closed.message, reason);
  await pair.check();
  await othersAreDone();
}

/** Only the pair's own calls are open: all of them end within a moment. */
async function othersAreDone(): Promise<void> {
  await until("the end of the hostile calls", async () => {
    const { runtimes } = await cluster.b.status();
    const apps = runtimes.flatMap((runtime) => runtime.apps);
    return !apps.some(({ name, incoming }) => name === "river-server" && incoming > 0);
  });
}

/** Puts a drop at `offset`; its length. */
function write(app: HostileApp, offset: number, bytes = 0): number {
  const drop = create(DropSchema, { serial: 1n, text: "x", data: new Uint8Array(bytes) });
  return codec.write(drop, app.sendHeap, offset, offset + bytes + 4096, { add: () => -1 });
}

type Words = Readonly<Record<number, number>>;

const message = (flags: number, change: Words = {}): Words => ({
  [W_KIND]: MESSAGE | (flags << 8),
  [W_CALL]: 0,
  [W_COUNT]: 1,
  ...change,
});

/** A hostile caller of `river`, with an open call of id 0 and a message at the start of its heap. */
async function caller(t: Ending, method: number): Promise<{ app: HostileApp; inline: number }> {
  const app = await openHostileApp(t, cluster.b).hello();
  const binding = await app.bind("river", schema);
  const inline = write(app, 0);
  const source = create(SourceSchema, { count: 1 });
  const asked = schema.methods[FLOW]!.input.write(source, app.sendHeap, sourceAt, sourceAt + 4096, {
    add: () => -1,
  });
  const takesStream = method === MIRROR || method === COLLECT;
  const kind = CALL | (method << 16) | (takesStream ? NO_BLOCK << 8 : 0);
  app.slot({
    [W_KIND]: kind,
    [W_CALL]: 0,
    [W_TARGET]: binding,
    [W_BLOCK_OFFSET]: sourceAt,
    [W_INLINE_LENGTH]: takesStream ? 0 : asked,
  });
  return { app, inline };
}

/** A row of records with the lengths that the test says, of which `bytes` are announced. */
function records(app: HostileApp, lengths: readonly number[]): number {
  let at = recordsAt;
  for (const length of lengths) {
    const inline = write(app, at + 8);
    app.sendHeap.i32[at >> 2] = length < 0 ? inline : length;
    at += 8 + inline;
  }
  return at - recordsAt;
}

describe("slots of a caller", () => {
  const bare = NO_BLOCK;
  const cases: Record<
    string,
    [slots: (inline: number) => Words[], reason: RegExp, method?: number]
  > = {
    "a message without bytes": [() => [message(bare)], /1 messages of 0 bytes/],
    "bytes without a message": [
      (inline) => [message(0, { [W_INLINE_LENGTH]: inline, [W_COUNT]: 0 })],
      /0 messages of/,
    ],
    "1025 messages": [
      (inline) => [message(0, { [W_INLINE_LENGTH]: inline, [W_COUNT]: 1025 })],
      /block of 1025/,
    ],
    "-1 messages": [
      (inline) => [message(0, { [W_INLINE_LENGTH]: inline, [W_COUNT]: -1 })],
      /block of -1/,
    ],
    "nothing at all": [() => [message(bare, { [W_COUNT]: 0 })], /neither a message nor an end/],
    "two ends": [
      () => [message(bare | END, { [W_COUNT]: 0 }), message(bare | END, { [W_COUNT]: 0 })],
      /behind the last one/,
    ],
    "a message behind the end": [
      (inline) => [
        message(bare | END, { [W_COUNT]: 0 }),
        message(0, { [W_INLINE_LENGTH]: inline }),
      ],
      /behind the last one/,
    ],
    "headers from a caller": [() => [message(bare | HEADERS, { [W_COUNT]: 0 })], /from a caller/],
    "metadata with a message": [
      (inline) => [message(0, { [W_INLINE_LENGTH]: inline, [W_METADATA_LENGTH]: 8 })],
      /metadata with a message/,
    ],
    "a trace context": [
      (inline) => [message(TRACE, { [W_INLINE_LENGTH]: inline })],
      /trace context with a message/,
    ],
    "segments in a row of records": [
      (inline) => [message(0, { [W_INLINE_LENGTH]: inline, [W_COUNT]: 2, [W_SEGMENT_COUNT]: 1 })],
      /segments in one block/,
    ],
    "a message of a method that takes one": [
      (inline) => [message(0, { [W_INLINE_LENGTH]: inline })],
      /has none here/,
      FLOW,
    ],
    "the end of no stream": [() => [message(bare | END, { [W_COUNT]: 0 })], /end of no/, FLOW],
    "a block that is not there": [
      (inline) => [message(0, { [W_INLINE_LENGTH]: inline, [W_BLOCK_TAG]: 7 << 16 })],
      /region 7/,
    ],
    "a malformed message": [
      () => [message(0, { [W_INLINE_LENGTH]: 64, [W_BLOCK_OFFSET]: 2 * miB })],
      /malformed/,
    ],
    "no credit": [() => [{ [W_KIND]: CREDIT, [W_COST]: 0 }], /credit of 0/],
    "negative credit": [() => [{ [W_KIND]: CREDIT, [W_COST]: -8 }], /credit of -8/],
    "credit without end": [
      () => [0, 0].map(() => ({ [W_KIND]: CREDIT, [W_COST]: 0x7ffffff8 })),
      /credit of 2147483640/,
    ],
    "credit where nothing comes": [
      () => [{ [W_KIND]: CREDIT, [W_COST]: 8 }],
      /credit of 8/,
      COLLECT,
    ],
  };
  for (const [what, [slots, reason, method = MIRROR]] of Object.entries(cases)) {
    test(what, async (t) => {
      const { app, inline } = await caller(t, method);
      app.sendHeap.u8.fill(0xff, 2 * miB, 2 * miB + 64);
      // A row of a segment table that is in order, for those that name one.
      app.sendHeap.i32.fill(0, inline >> 2, (inline >> 2) + 4);
      for (const slot of slots(inline)) app.slot(slot);
      app.ring();
      await assertAppEnded(app, reason);
    });
  }

  const rows: Record<string, [lengths: number[], count: number, reason: RegExp]> = {
    "an empty record": [[0, -1], 2, /record of 0 bytes/],
    "a crooked record": [[-1, 13], 2, /record of 13 bytes/],
    "a record beyond the block": [[-1, 1 << 20], 2, /record of 1048576 bytes/],
    "a record that reaches into the next": [[0x7ffffff8, -1], 2, /record of 2147483640 bytes/],
    "fewer messages than records": [[-1, -1, -1], 2, /2 records in/],
    "more messages than records": [[-1, -1], 3, /the 3. of 3/],
  };
  for (const [what, [lengths, count, reason]] of Object.entries(rows)) {
    test(`${what} in a row`, async (t) => {
      const { app } = await caller(t, MIRROR);
      const bytes = records(app, lengths);
      app.slot(
        message(0, { [W_BLOCK_OFFSET]: recordsAt, [W_INLINE_LENGTH]: bytes, [W_COUNT]: count }),
      );
      app.ring();
      await assertAppEnded(app, reason);
    });
  }

  test("more than its credit", async (t) => {
    const { app } = await caller(t, COLLECT);
    const inline = write(app, largeAt, 600_000);
    const large = message(0, { [W_BLOCK_OFFSET]: largeAt, [W_INLINE_LENGTH]: inline });
    app.slot(large);
    app.slot(large);
    app.ring();
    await assertAppEnded(app, /without credit/);
  });

  test("several messages in a block that is too large for several", async (t) => {
    const { app } = await caller(t, MIRROR);
    let at = largeAt;
    for (let i = 0; i < 2; i++) {
      const inline = write(app, at + 8, 9000);
      app.sendHeap.i32[at >> 2] = inline;
      at += 8 + inline;
    }
    app.slot(
      message(0, { [W_BLOCK_OFFSET]: largeAt, [W_INLINE_LENGTH]: at - largeAt, [W_COUNT]: 2 }),
    );
    app.ring();
    await assertAppEnded(app, /a block of 2 messages in 18\d\d\d bytes, at most 16384/);
  });

  test("a request with segments where no message belongs", async (t) => {
    const app = await openHostileApp(t, cluster.b).hello();
    const binding = await app.bind("river", schema);
    app.slot({
      [W_KIND]: CALL | (MIRROR << 16),
      [W_TARGET]: binding,
      [W_SEGMENT_COUNT]: 1,
      [W_SEGMENT_BYTES]: 0,
    });
    app.ring();
    await assertAppEnded(app, /one too many/);
  });

  test("messages and credit for calls that are not its own, or over, are no crime", async (t) => {
    const { app, inline } = await caller(t, MIRROR);
    for (const id of [1, 77, -1, 0x7fffffff]) {
      for (const side of [0, FROM_CALLEE]) {
        app.slot(message(side, { [W_CALL]: id, [W_INLINE_LENGTH]: inline }));
        app.slot(message(side | NO_BLOCK | HEADERS, { [W_CALL]: id, [W_COUNT]: 0 }));
        app.slot({ [W_KIND]: CREDIT | (side << 8), [W_CALL]: id, [W_COST]: -5 });
      }
    }
    app.slot(message(0, { [W_INLINE_LENGTH]: inline }));
    app.slot(message(NO_BLOCK | END, { [W_COUNT]: 0 }));
    app.ring();
    let echoed = 0;
    let reply: Int32Array;
    do {
      reply = await app.received();
      if ((reply[W_KIND]! & 0xff) === MESSAGE) echoed += reply[W_COUNT]!;
    } while ((reply[W_KIND]! & 0xff) !== REPLY);
    assert.deepEqual([echoed, reply[W_STATUS]! & 0xff], [1, 0]);
    app.close();
    await pair.check();
    await othersAreDone();
  });

  test("messages without end for calls that are over, and no look at the answers", async (t) => {
    const app = await openHostileApp(t, cluster.b).hello();
    const inline = write(app, 0);
    let sent = 0;
    await until("the end of the app", () => {
      for (;;) {
        const at = app.producer.reserve();
        if (at < 0) break;
        const words = app.sendHeap.i32;
        words.fill(0, at, at + 16);
        words[at + W_KIND] = MESSAGE;
        words[at + W_CALL] = 5;
        words[at + W_INLINE_LENGTH] = inline;
        words[at + W_COUNT] = 1;
        sent++;
      }
      app.ring();
      return app.packet({ op: "unserve", seq: 1, export: 99 }) < 0;
    });
    t.diagnostic(`${sent} messages`);
    await pair.check();
    assert.match(cluster.b.log(), /messages without end/);
  });
});

describe("slots of a server", () => {
  const of = (flags: number, change: Words = {}): Words => message(flags | FROM_CALLEE, change);
  const headers = of(NO_BLOCK | HEADERS, { [W_COUNT]: 0 });
  const cases: Record<
    string,
    [slots: (inline: number) => Words[], reason: RegExp, method?: number]
  > = {
    "headers twice": [() => [headers, headers], /headers behind/],
    "headers with a message": [
      (inline) => [of(HEADERS, { [W_INLINE_LENGTH]: inline })],
      /headers with a message/,
    ],
    "headers behind messages": [
      (inline) => [of(0, { [W_INLINE_LENGTH]: inline }), headers],
      /headers behind/,
    ],
    "a message of a method that returns one": [
      (inline) => [of(0, { [W_INLINE_LENGTH]: inline })],
      /has none here/,
      STILL,
    ],
    "credit for a caller that sends nothing": [
      () => [{ [W_KIND]: CREDIT | (FROM_CALLEE << 8), [W_COST]: 8 }],
      /credit of 8/,
      STILL,
    ],
    "a message in the reply": [
      (inline) => [{ [W_KIND]: REPLY, [W_INLINE_LENGTH]: inline }],
      /its messages went before/,
    ],
    "a message in a reply that has failed": [
      (inline) => [{ [W_KIND]: REPLY, [W_STATUS]: 5, [W_INLINE_LENGTH]: inline }],
      /its messages went before/,
    ],
  };
  for (const [what, [slots, reason, method = FLOW]] of Object.entries(cases)) {
    for (const hosts of [1, 2]) {
      test(`${what}, ${hosts} daemon${hosts === 1 ? "" : "s"}`, async (t) => {
        const app = await openHostileApp(t, cluster.b).hello("hostile-server");
        const name = `h${Math.random()}`;
        await app.serve(name, schema);
        const mesh = await attachHere(t, hosts === 1 ? cluster.b : cluster.a, "victim");
        const river = mesh.client(River, name);
        const options = { waitForReady: true, timeoutMs: 30_000 };
        const outcome = outcomeOf(
          method === STILL
            ? river.still({}, options)
            : (async () => {
                for await (const _ of river.flow({}, options));
              })(),
        );
        const slot = await app.received();
        const inline = write(app, 0);
        for (const words of slots(inline)) app.slot({ ...words, [W_CALL]: slot[W_CALL]! });
        app.ring();
        await assertAppEnded(app, reason);
        assert.match(await outcome, /^(INTERNAL|UNAVAILABLE)\/remote-app$/);
      });
    }
  }
});

describe("frames", () => {
  const memory = openMemory(new ArrayBuffer(4096));
  const drop = create(DropSchema, { serial: 1n, text: "x" });
  const inline = codec.write(drop, memory, 0, 4096, { add: () => -1 });
  const body = memory.u8.slice(0, inline);
  const asked = schema.methods[FLOW]!.input.write(
    create(SourceSchema, { count: 1 }),
    memory,
    0,
    4096,
    { add: () => -1 },
  );
  const source = memory.u8.slice(0, asked);
  const open = (): Buffer => longFrame([0, REQUEST | (MIRROR << 16), 1]);
  const piece = (
    flags: number,
    count: number,
    bytes: number,
    cost: number,
    rest?: Uint8Array,
  ): Buffer => longFrame([0, STREAM_MESSAGE | (flags << 8), 1, count, bytes, 0, cost], rest);

  async function assertLinkEnded(link: HostileLink, reason: RegExp): Promise<void> {
    await until("the end of the link", () => link.ended);
    await until(`a log line with ${reason}`, () =>
      cluster.b
        .log()
        .split("\n")
        .some((line) => line.includes("link down") && reason.test(line)),
    );
    await pair.check();
    await othersAreDone();
  }

  const cases: Record<string, [frames: Uint8Array[], reason: RegExp]> = {
    "a message behind the end": [
      [open(), piece(FrameFlag.END, 0, 0, 0), piece(0, 1, inline, inline, body)],
      /behind the last one/,
    ],
    "a message that costs nothing": [
      [open(), piece(0, 1, inline, 0, body)],
      /1 messages that cost 0/,
    ],
    "an end that costs": [[open(), piece(FrameFlag.END, 0, 0, 8)], /0 messages that cost 8/],
    "a negative cost": [[open(), piece(0, 1, inline, -8, body)], /cost -8/],
    "a cost without end": [[open(), piece(0, 1, inline, 0x7ffffff8, body)], /cost 2147483640/],
    "more than its credit": [
      [open(), piece(0, 1, inline, miB, body), piece(0, 1, inline, 8, body)],
      /without credit/,
    ],
    "1025 messages": [[open(), piece(0, 1025, inline, 8, body)], /block of 1025/],
    "records that are none": [
      [open(), piece(0, 2, inline, inline, new Uint8Array(inline))],
      /record of 0 bytes/,
    ],
    "a malformed message": [
      [open(), piece(0, 1, 64, 64, new Uint8Array(64).fill(0xff))],
      /malformed/,
    ],
    "headers from a caller": [[open(), piece(FrameFlag.HEADERS, 0, 0, 0)], /from a caller/],
    "a message for a method that takes one": [
      [longFrame([0, REQUEST, 1, 0, asked], source), piece(0, 1, inline, inline, body)],
      /has none here/,
    ],
    "a message within a message": [
      [open(), piece(0, 1, 64, 64), piece(0, 1, inline, inline, body)],
      /message within a message/,
    ],
    "chunks beyond the message": [
      [open(), piece(0, 1, 64, 64), shortFrame(CHUNK, 1, 0, new Uint8Array(72))],
      /chunk of 72 bytes at 0/,
    ],
    "a malformed message in chunks": [
      [open(), piece(0, 1, 64, 64), shortFrame(CHUNK, 1, 0, new Uint8Array(64).fill(0xff))],
      /malformed/,
    ],
    "a request with a message": [
      [longFrame([0, REQUEST | (MIRROR << 16), 1, 0, inline], body)],
      /one too many/,
    ],
    "a request with segments": [
      [
        longFrame(
          [0, REQUEST | (MIRROR << 16), 1, 0, 0, 8, 0, 1 << 16],
          Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]),
        ),
      ],
      /one too many/,
    ],
    "no credit": [[open(), shortFrame(STREAM_CREDIT, 1, 0)], /credit of 0/],
    "credit without end": [
      [open(), ...[0, 0].map(() => shortFrame(STREAM_CREDIT, 1, 0x7ffffff8))],
      /credit of 2147483640/,
    ],
  };
  for (const [what, [frames, reason]] of Object.entries(cases)) {
    test(what, async (t) => {
      const link = await (await openHostileLink(t, cluster.b)).hello();
      await link.bind(0, "river", schema);
      link.send(...frames);
      await assertLinkEnded(link, reason);
    });
  }

  test("what may cross on its way is no crime", async (t) => {
    const link = await (await openHostileLink(t, cluster.b)).hello();
    await link.bind(0, "river", schema);
    link.send(
      piece(0, 1, inline, inline, body),
      piece(FrameFlag.FROM_CALLEE, 1, 64, 64),
      shortFrame(CHUNK, 1, 0, new Uint8Array(64), FrameFlag.FROM_CALLEE),
      shortFrame(STREAM_CREDIT, 1, -5),
      shortFrame(STREAM_CREDIT, 1, 0, "", FrameFlag.FROM_CALLEE),
      open(),
      piece(0, 1, 64, 64),
      shortFrame(CHUNK, 1, 0, new Uint8Array(8)),
      shortFrame(CANCEL, 1, 0),
      shortFrame(CHUNK, 1, 8, new Uint8Array(56)),
      piece(FrameFlag.END, 0, 0, 0),
      shortFrame(PING, 0, 9),
    );
    assert.equal((await link.expect(PONG)).readInt32LE(12), 9);
    link.send(open(), piece(FrameFlag.END, 1, inline, inline, body));
    assert.equal((await link.expect(RESPONSE)).readUInt16LE(6) & 0xff, 0);
    await pair.check();
    await othersAreDone();
  });

  const replies: Record<string, [frames: (stream: number) => Uint8Array[], reason: RegExp]> = {
    "a reply while its reply is coming in": [
      (stream) => [0, 0].map(() => longFrame([0, RESPONSE, stream, 0, 64])),
      /whose reply is coming in/,
    ],
    "a message while the reply is coming in": [
      (stream) => [
        longFrame([0, RESPONSE, stream, 0, 64]),
        longFrame(
          [0, STREAM_MESSAGE | (FrameFlag.FROM_CALLEE << 8), stream, 1, inline, 0, 8],
          body,
        ),
      ],
      /has none here/,
    ],
    "headers twice": [
      (stream) =>
        [0, 0].map(() =>
          longFrame([
            0,
            STREAM_MESSAGE | ((FrameFlag.FROM_CALLEE | FrameFlag.HEADERS) << 8),
            stream,
          ]),
        ),
      /headers behind/,
    ],
  };
  for (const [what, [frames, reason]] of Object.entries(replies)) {
    test(`${what}, from a server over there`, async (t) => {
      const link = await openHostileLink(t, cluster.b);
      const service = schema.typeName;
      const name = `bait${Math.random()}`;
      await link.hello({ services: [{ name, service, hashes: [schema.hash], instances: 1 }] });
      const mesh = await attachHere(t, cluster.b, "victim");
      const outcome = outcomeOf(mesh.client(River, name).still({}, { timeoutMs: 30_000 }));
      await link.expect(FrameType.BIND);
      link.send(shortFrame(FrameType.BOUND, 0, 0));
      const stream = (await link.expect(REQUEST)).readInt32LE(8);
      link.send(...frames(stream));
      await assertLinkEnded(link, reason);
      assert.match(await outcome, /^(UNAVAILABLE|INTERNAL)\/link$/);
    });
  }
  test("a peer that is gone in the middle of a message", async (t) => {
    const link = await (await openHostileLink(t, cluster.b)).hello();
    await link.bind(0, "river", schema);
    link.send(open(), piece(0, 1, 64, 64), shortFrame(CHUNK, 1, 0, new Uint8Array(8)));
    link.send(jsonFrame(FrameType.SERVICES, 0, { services: [] }));
    link.socket.resetAndDestroy();
    await pair.check();
    await othersAreDone();
  });
});

test("the end", async () => {
  await pair.check();
  await pair.stop();
  await nothingIsOpen(cluster.a, cluster.b);
  await until("all blocks of messages", async () => {
    const { runtimes } = await cluster.b.status();
    const apps = runtimes.flatMap((runtime) => runtime.apps);
    return apps.every(({ name, receiveBlocks }) => name !== "river-server" || receiveBlocks === 0);
  });
  for (const action of suite.reverse()) await action();
});

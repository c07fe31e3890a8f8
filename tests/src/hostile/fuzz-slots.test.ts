/**
 * Random mutations of valid slots, messages and frames against real daemons. Whatever they are answered:
 * the daemons live, and a pair of apps that behave does not notice.
 *
 * `FUZZ_SEED=n` repeats one round, `FUZZ_SECONDS=n` goes on for longer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  BATCH_RECORD_BYTES,
  FrameFlag,
  FrameType,
  SLOT_WORDS,
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_CALL,
  W_COST,
  W_COUNT,
  W_INLINE_LENGTH,
  W_KIND,
  W_TARGET,
} from "@koala/protocol";
import { serviceSchemaOf } from "@koala/schema";
import { openMemory } from "@koala/shm";
import { Prng, until } from "@koala/testing";
import { DropSchema, River } from "../gen/test/v1/river_pb.ts";
import { type Cluster, type Daemon, startCluster } from "../stage/cluster.ts";
import { attachHere, startHealthyPair } from "../stage/faults-pair.ts";
import { depotSchema, depotService, ECHO, serveDepot } from "../stage/faults-service.ts";
import { HostileApp } from "../stage/hostile-app-helper.ts";
import {
  hostileCaller as caller,
  goodHello,
  HostileLink,
  jsonFrame,
  longFrame,
  openHostileLink,
  shortFrame,
} from "../stage/hostile-link-helper.ts";
import { riverImpl } from "../stage/river.ts";

const seconds = Number(process.env["FUZZ_SECONDS"] ?? 5);
const parcelType = depotService.methods[ECHO]!.input;
const { input } = depotSchema.methods[ECHO]!;
const riverSchema = serviceSchemaOf(River);
const MIRROR = 2;
/** Where the message of the streams lies, behind that of the calls. */
const dropAt = 1 << 18;
const interesting: readonly number[] = [
  0, 1, -1, 7, 8, 64, 0xffff, 0x10000, 0x7fffffff, -0x80000000, 0x7ffffff8, 4096,
];

/** Runs rounds with seeds of their own until the time is over; the seed is in every failure. */
async function fuzz(round: (prng: Prng) => Promise<void>): Promise<number> {
  const given = process.env["FUZZ_SEED"];
  const end = Date.now() + seconds * 1000;
  let seed = given === undefined ? Date.now() & 0x7fffffff : Number(given);
  let rounds = 0;
  do {
    try {
      await round(new Prng(seed));
    } catch (cause) {
      throw new Error(`repeat it with FUZZ_SEED=${seed}: ${String(cause)}`, { cause });
    }
    seed++;
    rounds++;
  } while (given === undefined && Date.now() < end);
  return rounds;
}

/** Another value for a word, near or far from the one that was there. */
function mutate(prng: Prng, word: number): number {
  switch (prng.below(4)) {
    case 0:
      return prng.pick(interesting);
    case 1:
      return word ^ (1 << prng.below(32));
    case 2:
      return (word + prng.between(-16, 16)) | 0;
    default:
      return prng.next() | 0;
  }
}

async function appRound(prng: Prng, daemon: Daemon): Promise<void> {
  const app = await new HostileApp(daemon.prefix).hello("fuzz");
  try {
    const binding = await app.bind("bystander", depotSchema);
    await app.serve("fuzz", depotSchema);
    const data = new Uint8Array(prng.below(300));
    const parcel = create(parcelType, { amount: 1, text: "text", data, items: [data] } as never);
    const inline = input.write(parcel, app.sendHeap, 0, 64 * 1024, { add: () => -1 });
    for (let i = 0; i < 200; i++) {
      const slot: Record<number, number> = {
        [W_KIND]: SlotKind.CALL | (ECHO << 16),
        [W_CALL]: i,
        [W_TARGET]: binding,
        [W_INLINE_LENGTH]: inline,
      };
      // Most slots are as they should be, so that there are calls for the others to collide with.
      if (prng.chance(0.02)) {
        const word = prng.below(SLOT_WORDS);
        slot[word] = mutate(prng, slot[word] ?? 0);
      }
      app.slot(slot);
      if (prng.chance(0.02)) {
        const word = prng.below(inline >> 2);
        app.sendHeap.i32[word] = mutate(prng, app.sendHeap.i32[word]!);
      }
    }
    await putStreams(prng, app);
    app.ring();
    await until("a slot, or the end", () => app.consumer.next() >= 0 || wasEnded(app));
  } finally {
    app.close();
  }
}

/** Streaming calls, their messages, credit and ends; a few of them are not as they should be. */
async function putStreams(prng: Prng, app: HostileApp): Promise<void> {
  const binding = await app.bind("river", riverSchema);
  const drop = create(DropSchema, { serial: 1n, text: "text" });
  const { input: codec } = riverSchema.methods[MIRROR]!;
  const inline = codec.write(drop, app.sendHeap, dropAt, dropAt + 4096, { add: () => -1 });
  const block = { [W_BLOCK_OFFSET]: dropAt, [W_INLINE_LENGTH]: inline, [W_COUNT]: 1 };
  const bare = SlotFlag.NO_BLOCK << 8;
  for (let id = 300; id < 340; id++) {
    const slots: Record<number, number>[] = [
      { [W_KIND]: SlotKind.CALL | bare | (MIRROR << 16), [W_TARGET]: binding },
      { [W_KIND]: SlotKind.MESSAGE, ...block },
      { [W_KIND]: SlotKind.CREDIT, [W_COST]: inline },
      { [W_KIND]: SlotKind.MESSAGE, ...block },
      { [W_KIND]: SlotKind.MESSAGE | bare | (SlotFlag.END << 8) },
    ];
    for (const slot of slots) {
      slot[W_CALL] = id;
      if (prng.chance(0.01)) {
        const word = prng.below(SLOT_WORDS);
        slot[word] = mutate(prng, slot[word] ?? 0);
      }
      app.slot(slot);
    }
  }
}

/** Whether the daemon has closed this app, without waiting for it. */
function wasEnded(app: HostileApp): boolean {
  return app.packet({ op: "unserve", seq: 1, export: 99 }) < 0;
}

async function linkRound(prng: Prng, daemon: Daemon, session: readonly Buffer[]): Promise<void> {
  const link = new HostileLink(daemon.port);
  try {
    for (const frame of session) {
      const sent = Buffer.from(frame);
      if (prng.chance(0.3)) {
        for (let i = prng.between(1, 3); i > 0; i--) {
          const at = 4 * prng.below(Math.min(sent.length, 64) >> 2);
          sent.writeInt32LE(mutate(prng, sent.readInt32LE(at)), at);
        }
      }
      link.send(sent);
      if (prng.chance(0.05)) link.send(sent);
    }
    link.send(shortFrame(FrameType.PING, 0, 0));
    const isOver = () =>
      link.ended || link.received.includes(Buffer.from([FrameType.PONG, 0, 0, 0]));
    // A mutated length makes the daemon wait for the rest of a frame.
    const end = Date.now() + 50;
    await until("an answer, or silence", () => isOver() || Date.now() > end);
  } finally {
    link.socket.destroy();
  }
}

/** What a peer that behaves would send. */
function validSession(): Buffer[] {
  const { hash, typeName: service, descriptorSet } = depotSchema;
  const memory = openMemory(new ArrayBuffer(4096));
  const parcel = create(parcelType, { amount: 1, text: "x" } as never);
  const inline = input.write(parcel, memory, 0, 4096, { add: () => -1 });
  const body = memory.u8.slice(0, inline);
  const services = [{ name: "fuzz", service, hashes: [hash], instances: 1 }];
  return [
    jsonFrame(FrameType.HELLO, 0, { ...goodHello, services }),
    jsonFrame(FrameType.BIND, 0, { target: "bystander", service, hash, caller }),
    jsonFrame(FrameType.BIND, 1, { target: "bystander", service, hash: "0".repeat(64), caller }),
    shortFrame(FrameType.SCHEMA, 1, descriptorSet.length, descriptorSet),
    longFrame([0, FrameType.REQUEST, 1, 0, inline], body),
    longFrame([0, FrameType.REQUEST, 2, 0, inline]),
    shortFrame(FrameType.CHUNK, 2, 0, body),
    longFrame([0, FrameType.REQUEST, 3, 0, inline], body),
    shortFrame(FrameType.CANCEL, 3, 0),
    shortFrame(FrameType.CREDIT, 0, 4096),
    ...streamSession(),
    jsonFrame(FrameType.SERVICES, 0, { services: [] }),
    jsonFrame(FrameType.GOAWAY, 0, { code: "X", reason: "x" }),
  ];
}

/** Streaming calls of such a peer: their messages before, in and behind them, in one piece, several and chunks. */
function streamSession(): Buffer[] {
  const { hash, typeName: service } = riverSchema;
  const memory = openMemory(new ArrayBuffer(4096));
  const drop = create(DropSchema, { serial: 1n, text: "text" });
  const { input: codec } = riverSchema.methods[MIRROR]!;
  const inline = codec.write(drop, memory, 0, 4096, { add: () => -1 });
  const body = memory.u8.slice(0, inline);
  const head = Buffer.alloc(BATCH_RECORD_BYTES);
  head.writeInt32LE(inline, 0);
  const row = Buffer.concat([head, body, head, body]);
  const binding = 2;
  const open = (stream: number): Buffer =>
    longFrame([0, FrameType.REQUEST | (MIRROR << 16), stream, binding]);
  const message = (stream: number, flags: number, count: number, bytes: number, rest?: Buffer) =>
    longFrame([0, FrameType.STREAM_MESSAGE | (flags << 8), stream, count, bytes, 0, bytes], rest);
  const one = Buffer.from(body);
  return [
    jsonFrame(FrameType.BIND, binding, { target: "river", service, hash, caller }),
    // Before there is a call.
    message(10, 0, 1, inline, one),
    shortFrame(FrameType.STREAM_CREDIT, 10, inline),
    open(10),
    message(10, 0, 1, inline, one),
    message(10, 0, 2, row.length, row),
    shortFrame(FrameType.STREAM_CREDIT, 10, row.length),
    message(10, 0, 1, inline),
    shortFrame(FrameType.CHUNK, 10, 0, body.subarray(0, 8)),
    shortFrame(FrameType.CHUNK, 10, 8, body.subarray(8)),
    open(11),
    message(11, FrameFlag.END, 2, row.length, row),
    // Behind the end of a call, in the middle of a message, and for one that nobody has made.
    shortFrame(FrameType.CANCEL, 11, 0),
    message(11, 0, 1, inline, one),
    message(77, FrameFlag.FROM_CALLEE, 1, inline, one),
    shortFrame(FrameType.STREAM_CREDIT, 77, 8, "", FrameFlag.FROM_CALLEE),
    open(12),
    message(12, 0, 1, inline),
    shortFrame(FrameType.CANCEL, 12, 0),
    shortFrame(FrameType.CHUNK, 12, 0, body),
    message(10, FrameFlag.END, 0, 0),
  ];
}

async function start(
  t: Parameters<typeof startCluster>[0],
): Promise<{ cluster: Cluster; check: () => Promise<void> }> {
  const cluster = await startCluster(t);
  const pair = await startHealthyPair(t, cluster.a, cluster.b);
  const bystander = await attachHere(t, cluster.b, "bystander");
  await serveDepot(bystander, "bystander");
  await bystander.serve({ name: "river" }, (routes) => routes.service(River, riverImpl));
  const check = async () => {
    await pair.check();
    for (const { log } of [cluster.a, cluster.b]) assert.doesNotMatch(log(), /runtime failed/);
    assert.doesNotMatch(cluster.a.log(), /link down/);
    await until("the end of the fuzzers", async () => {
      const { runtimes } = await cluster.a.status();
      return !runtimes.some(({ apps }) => apps.some(({ name }) => name === "fuzz"));
    });
  };
  return { cluster, check };
}

test("slots and messages, on one host and across a link", async (t) => {
  const { cluster, check } = await start(t);
  const rounds = await fuzz((prng) => appRound(prng, prng.chance(0.5) ? cluster.a : cluster.b));
  await check();
  t.diagnostic(`${rounds} rounds`);
});

test("frames", async (t) => {
  const { cluster, check } = await start(t);
  const session = validSession();
  const valid = await openHostileLink(t, cluster.b);
  valid.send(...session.slice(0, -1), shortFrame(FrameType.PING, 0, 0));
  await valid.expect(FrameType.PONG);
  assert.equal(valid.ended, false, "the session breaks no rule");
  const rounds = await fuzz((prng) => linkRound(prng, cluster.b, session));
  await check();
  t.diagnostic(`${rounds} rounds`);
});

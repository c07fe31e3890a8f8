/** What policies do to the messages of streams, over TCP between two daemons and within one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import {
  type PolicySpec,
  SlotFlag,
  SlotKind,
  W_CALL,
  W_COUNT,
  W_INLINE_LENGTH,
  W_KIND,
  W_TARGET,
} from "@koala/protocol";
import { serviceSchemaOf } from "@koala/schema";
import { until } from "@koala/testing";
import { type Drop, River } from "../gen/test/v1/river_pb.ts";
import { openHostileApp } from "../stage/hostile-app-helper.ts";
import { rejection } from "../stage/rejection.ts";
import {
  nothingIsOpen,
  type RiverStage,
  type Seen,
  startRiverStage,
} from "../stage/river-stage.ts";

/** Does to a message what its text says, if it comes from the side that the configuration names. */
const script = `import { definePolicy, Status, z } from "@koala/policy";
export default definePolicy({
  name: "script",
  version: "1.0.0",
  config: z.strictObject({ from: z.enum(["client", "server"]), bytes: z.int().default(0) }),
  counters: ["client", "server", "ended", "disorder"],
  onRequest(call) {
    call.local = { client: 0, server: 0 };
  },
  onStreamMessage(message, call, ctx) {
    ctx.counters[message.from]++;
    if (message.index !== call.local[message.from]++) ctx.counters.disorder++;
    if (message.from !== ctx.config.from) return;
    const { text, serial } = message.value;
    if (text === "deny") return call.deny(Status.PERMISSION_DENIED, "not this one", "word");
    if (text === "hold") return call.hold();
    if (text === "throw") throw new Error("on purpose");
    if (text !== "swap") return;
    message.replace({ $typeName: "test.v1.Drop", text: "swapped", serial: serial + 1000n, data: new Uint8Array(ctx.config.bytes).fill(7) });
  },
  onResponse(call, ctx) {
    ctx.counters.ended++;
  },
});
`;

const schema = serviceSchemaOf(River);
const MIRROR = schema.methods.findIndex(({ name }) => name === "Mirror");

interface Sent {
  readonly text: string;
  readonly serial?: bigint;
  readonly data?: Uint8Array;
}

async function* each(drops: readonly Sent[]): AsyncIterable<Sent> {
  yield* drops;
}

/** Sends texts, and says what came back and how it ended. */
async function mirror(
  { river }: RiverStage,
  drops: readonly (Sent | string)[],
): Promise<{ back: Drop[]; error: Awaited<ReturnType<typeof rejection>> | undefined }> {
  const back: Drop[] = [];
  const sent = drops.map((drop) => (typeof drop === "string" ? { text: drop } : drop));
  const read = async (): Promise<void> => {
    for await (const drop of river.mirror(each(sent), { timeoutMs: 60_000 })) back.push(drop);
  };
  let failed = false;
  const reading = read().catch((error: unknown) => {
    failed = true;
    throw error;
  });
  await reading.catch(() => {});
  return { back, error: failed ? await rejection(reading) : undefined };
}

/** The handler has read what came before the denied message; its signal tells it of the end. */
async function deniedWhileHandled(stage: RiverStage): Promise<void> {
  const handled = (): Seen | undefined => stage.seen.findLast(({ texts }) => texts[0] === "one");
  async function* drops(): AsyncIterable<Sent> {
    yield* [{ text: "one" }, { text: "two" }];
    await until("the handler to read", () => handled()?.texts.length === 2);
    yield* [{ text: "deny" }, { text: "three" }];
  }
  const error = await rejection(stage.river.collect(drops(), { timeoutMs: 60_000 }));
  assert.deepEqual([error.status, error.policy], [Status.PERMISSION_DENIED, "script"]);
  await until("the handler to be told", () => handled()!.aborted);
  assert.deepEqual(handled()!.texts, ["one", "two"]);
}

const textsOf = (drops: readonly Drop[]): string[] => drops.map(({ text }) => text);

for (const hosts of [2, 1]) {
  describe(`policies of streams, ${hosts === 2 ? "two daemons" : "one daemon"}`, {
    timeout: 240_000,
  }, () => {
    for (const side of ["client", "server"] as const) {
      for (const from of ["client", "server"] as const) {
        it(`a denial at the ${side} of a message of the ${from} comes behind what was sent before`, async (t) => {
          const stage = await startRiverStage(t, hosts, script);
          const daemon = stage[side];
          await stage.attach(daemon, specOf(stage, side, { from }));
          const { back, error } = await mirror(stage, ["a", "b", "c", "deny", "d"]);
          assert.equal(error?.status, Status.PERMISSION_DENIED);
          assert.equal(error.origin, "policy");
          assert.deepEqual([error.policy, error.rule], ["script", "word"]);
          assert.match(error.requestId ?? "", /^[0-9a-f]{8}-\d+-\w+$/);
          assert.match(error.message, /not this one \(denied by policy script, rule word; request/);
          assert.deepEqual(textsOf(back), from === "client" ? [] : ["a", "b", "c"]);
          if (from === "client") await deniedWhileHandled(stage);
          // Behind a large message that is still on its way to the next daemon.
          const data = new Uint8Array(3 << 20).fill(5);
          const large = await mirror(stage, [{ text: "large", data }, "deny"]);
          assert.equal(large.error?.status, Status.PERMISSION_DENIED);
          if (from === "server") {
            assert.equal(large.back.length, 1);
            assert.equal(Buffer.compare(large.back[0]!.data, data), 0);
          }
          // Those who come next notice nothing.
          const next = await mirror(stage, ["a", "b"]);
          assert.deepEqual([next.error, textsOf(next.back)], [undefined, ["a", "b"]]);
          const { disorder, ended } = await stage.countersOf(daemon, "script");
          assert.deepEqual({ disorder, ended }, { disorder: 0, ended: from === "client" ? 4 : 3 });
          await nothingIsOpen(stage.client, stage.server);
        });
      }
    }

    it("replaces one message, one of many in a block, and one by a large one", async (t) => {
      const stage = await startRiverStage(t, hosts, script);
      for (const [side, from] of [
        ["client", "server"],
        ["server", "client"],
      ] as const) {
        for (const bytes of [0, 100, 20_000, 2 << 20]) {
          await stage.attach(stage[side], specOf(stage, side, { from, bytes }));
          const alone = await mirror(stage, [{ text: "swap", serial: 5n }]);
          assert.equal(alone.error, undefined);
          assertSwapped(alone.back, 0, bytes, 1005n);
          const many = Array.from({ length: 100 }, (_, i) => ({
            text: i === 50 ? "swap" : `${i}`,
            serial: BigInt(i),
          }));
          const { back, error } = await mirror(stage, many);
          assert.equal(error, undefined);
          assert.equal(back.length, 100);
          assertSwapped(back, 50, bytes, 1050n);
          for (const [i, drop] of back.entries()) if (i !== 50) assert.equal(drop.text, `${i}`);
          const { disorder } = await stage.countersOf(stage[side], "script");
          assert.equal(disorder, 0);
          await stage.detach(stage[side], "script");
        }
      }
    });

    for (const word of ["throw", "hold"]) {
      it(`a policy that answers with ${word} is taken out, its streams end or go on`, async (t) => {
        const stage = await startRiverStage(t, hosts, script);
        for (const onFailure of ["closed", "open"] as const) {
          const spec = { ...specOf(stage, "client", { from: "client" }), onFailure };
          await stage.attach(stage.client, spec);
          const { back, error } = await mirror(stage, ["a", word, "b"]);
          if (onFailure === "open") {
            assert.deepEqual(textsOf(back), ["a", word, "b"]);
          } else {
            assert.equal(error?.status, Status.UNAVAILABLE);
            assert.equal(error.policy, "script");
          }
          await stage.detach(stage.client, "script");
        }
        const { back } = await mirror(stage, ["a", word]);
        assert.deepEqual(textsOf(back), ["a", word]);
        await nothingIsOpen(stage.client, stage.server);
      });
    }

    it("does not show a malformed message to a policy, alone or in a block", async (t) => {
      const stage = await startRiverStage(t, hosts, script);
      await stage.attach(stage.client, specOf(stage, "client", { from: "client" }));
      for (const count of [1, 3]) {
        const app = await openHostileApp(t, stage.client).hello();
        const binding = await app.bind("river", schema);
        const call = { [W_CALL]: 0, [W_TARGET]: binding };
        app.slot({ ...call, [W_KIND]: SlotKind.CALL | (SlotFlag.NO_BLOCK << 8) | (MIRROR << 16) });
        app.sendHeap.u8.fill(0xff, 0, 256);
        app.slot({ ...call, [W_KIND]: SlotKind.MESSAGE, [W_INLINE_LENGTH]: 256, [W_COUNT]: count });
        app.ring();
        const { code, message } = await app.end();
        assert.equal(code, "ERR_APP_PROTOCOL");
        assert.match(message, /malformed/);
      }
      assert.deepEqual(textsOf((await mirror(stage, ["a", "b"])).back), ["a", "b"]);
      const { client } = await stage.countersOf(stage.client, "script");
      assert.ok(client! <= 3, "those of the hostile app counted at most once, and were not read");
      await nothingIsOpen(stage.client, stage.server);
    });

    it("sees every message of every kind of call once", async (t) => {
      const stage = await startRiverStage(t, hosts, script);
      await stage.attach(stage.client, specOf(stage, "client", { from: "client" }));
      let flowed = 0;
      for await (const _ of stage.river.flow({ count: 300 })) flowed++;
      assert.equal(flowed, 300);
      const drops = Array.from({ length: 200 }, (_, i) => ({ text: `${i}` }));
      assert.equal((await stage.river.collect(each(drops))).count, 200);
      await stage.river.still({ text: "deny" });
      const { client, server, disorder } = await stage.countersOf(stage.client, "script");
      assert.deepEqual({ client, server, disorder }, { client: 200, server: 300, disorder: 0 });
    });
  });
}

function specOf(
  stage: RiverStage,
  side: "client" | "server",
  config: Record<string, unknown>,
): PolicySpec {
  return { name: "script", use: stage.code, match: { side }, config };
}

function assertSwapped(drops: readonly Drop[], at: number, bytes: number, serial: bigint): void {
  const { text, data, serial: found } = drops[at]!;
  assert.deepEqual([text, data.length, found], ["swapped", bytes, serial]);
  assert.ok(data.every((byte) => byte === 7));
}

/** A stream keeps the policies that it began with when the daemon is replaced, though others have come meanwhile. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Status } from "@koala/mrpc";
import { until } from "@koala/testing";
import { rejection } from "../stage/rejection.ts";
import { nothingIsOpen, type RiverStage, startRiverStage } from "../stage/river-stage.ts";

const timeout = 120_000;
const censor = `import { definePolicy, Status, z } from "@koala/policy";
export default definePolicy({
  name: "censor",
  version: "1.0.0",
  config: z.strictObject({}),
  onRequest(call) {
    call.local = "begun";
  },
  onStreamMessage(message, call) {
    if (message.value.text !== "deny") return;
    return call.deny(Status.PERMISSION_DENIED, "local is " + call.local, "word");
  },
});
`;

/** Sends a message, changes something while the stream is open, and sends the one that is denied. */
async function sendAcross(
  { river, seen }: RiverStage,
  change: () => Promise<void>,
): Promise<unknown> {
  async function* drops(): AsyncGenerator<{ text: string }> {
    yield { text: "before" };
    await until("the first message", () => seen.at(-1)?.texts.length === 1);
    await change();
    yield { text: "deny" };
  }
  return await river.collect(drops(), { timeoutMs: 60_000 });
}

it("a policy goes on to see a stream when others were attached before and behind it", {
  timeout,
}, async (t) => {
  const stage = await startRiverStage(t, 1, censor);
  const { client: daemon } = stage;
  const censoring = { name: "censor", use: stage.code, match: { side: "client" } } as const;
  await stage.attach(daemon, { name: "first", use: "null" });
  await stage.attach(daemon, censoring);
  const error = await rejection(
    sendAcross(stage, async () => {
      await stage.detach(daemon, "first");
      await stage.attach(daemon, { name: "last", use: "null" });
      assert.equal((await daemon.upgrade()).failed, 0);
    }),
  );
  assert.deepEqual([error.status, error.policy], [Status.PERMISSION_DENIED, "censor"]);
  assert.match(error.message, /local is begun/);
  await nothingIsOpen(daemon);
});

it("a policy that was detached does not see a stream any more in the next process", {
  timeout,
}, async (t) => {
  const stage = await startRiverStage(t, 1, censor);
  const { client: daemon } = stage;
  await stage.attach(daemon, { name: "censor", use: stage.code, match: { side: "client" } });
  const basin = await sendAcross(stage, async () => {
    await stage.detach(daemon, "censor");
    assert.equal((await daemon.upgrade()).failed, 0);
  });
  assert.equal((basin as { count: number }).count, 2);
  await nothingIsOpen(daemon);
});

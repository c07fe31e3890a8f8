import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { TracePoint } from "@koala/shm";
import { Stage } from "../processes/stage.ts";
import { TracedSystem } from "./traced-system.ts";
import { type PlacedNote, readCalls } from "./way.ts";

async function notesOf(
  context: TestContext,
  inFlight: number,
  env: Readonly<Record<string, string>> = {},
): Promise<{ system: TracedSystem; notes: readonly PlacedNote[] }> {
  const stage = new Stage();
  context.after(() => stage.close());
  const system = await TracedSystem.start(stage, "koala-local", env);
  const { client } = system.running;
  await client.run({ op: "run", method: "echo", bytes: 64, inFlight, seconds: 0.1, keep: false });
  return { system, notes: system.takeNotes() };
}

test("real programs note every point of a call's way, in order", async (context) => {
  const { system, notes } = await notesOf(context, 1);
  const { calls } = readCalls(notes, system.way);
  assert.ok(calls.length > 0, `${notes.length} notes, none of them a whole call`);
});

test("without batching every call is made visible by itself", async (context) => {
  const { notes } = await notesOf(context, 16, { KOALA_WITHOUT: "batching" });
  const count = (wanted: TracePoint): number =>
    notes.filter(({ place, point }) => place === "client" && point === wanted).length;
  assert.ok(count(TracePoint.SUBMITTED) > 0);
  assert.ok(count(TracePoint.PUBLISHED) >= count(TracePoint.SUBMITTED));
});

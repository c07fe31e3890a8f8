import assert from "node:assert/strict";
import { test } from "node:test";
import { TracePoint } from "@koala/shm";
import { linkedWay, localWay, type PlacedNote, partsOf, readCalls, type Way } from "./way.ts";

/** The notes of so many calls, 1 µs from point to point, and the beginning of the next one. */
function notesOf(way: Way, calls: number): PlacedNote[] {
  const notes: PlacedNote[] = [];
  for (let call = 0; call < calls; call++) {
    for (const { place, point } of way.slice(0, -1)) {
      notes.push({ place, point, id: 0, micros: notes.length });
    }
  }
  notes.push({ place: "client", point: TracePoint.CALL, id: 0, micros: notes.length });
  return notes;
}

test("the parts of a call add up to all of it", () => {
  for (const way of [linkedWay, localWay]) {
    const { calls, incomplete } = readCalls(notesOf(way, 3).reverse(), way);
    assert.equal(calls.length, 3);
    assert.equal(incomplete, 0);
    for (const { parts, total } of calls) {
      assert.equal(parts.length, partsOf(way).length);
      assert.equal(total, way.length - 1);
      assert.equal(
        parts.reduce((a, b) => a + b),
        total,
      );
    }
  }
});

test("a call with a point missing does not count, and its neighbours do", () => {
  const notes = notesOf(localWay, 3);
  const missing = notes.findIndex(
    ({ point, micros }) => point === TracePoint.HANDED && micros > 15,
  );
  const { calls, incomplete } = readCalls(notes.toSpliced(missing, 1), localWay);
  assert.equal(calls.length, 2);
  assert.equal(incomplete, 1);
});

test("what came from the socket before the call's bytes is not its arrival", () => {
  const notes = notesOf(linkedWay, 1);
  const at = notes.findIndex(({ point }) => point === TracePoint.RECEIVED);
  const early = { ...notes[at]!, micros: notes[at]!.micros - 0.5 };
  const { calls } = readCalls([...notes, early], linkedWay);
  assert.equal(calls.length, 1);
  assert.equal(calls[0]!.parts[partsOf(linkedWay).indexOf("socket to daemon B")], 1);
});

test("time in policies, in sending and doorbells lie within the parts", () => {
  const notes = notesOf(localWay, 1);
  const aside = (point: TracePoint, micros: number): PlacedNote => ({
    ...{ place: "near", point, id: 0, micros },
  });
  const { calls } = readCalls(
    [
      ...notes,
      aside(TracePoint.POLICIES_BEGUN, 3.25),
      aside(TracePoint.POLICIES_PASSED, 3.75),
      aside(TracePoint.RUNG, 5.5),
      aside(TracePoint.RUNG, 6.5),
    ],
    localWay,
  );
  const [{ policies, sending, rings, total }] = calls as [(typeof calls)[0]];
  assert.deepEqual(
    { policies, sending, rings, total },
    {
      ...{ policies: 0.5, sending: 0, rings: 2, total: localWay.length - 1 },
    },
  );
});

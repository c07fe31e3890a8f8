import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "../datapath/call.ts";
import { flowOf } from "./flow.ts";
import { loadStream, saveStream } from "./stream-state.ts";

test("what is known of a flow goes to another process, that it is denied included", () => {
  const callOf = (): Call => ({ method: { kind: "bidi_streaming" }, stream: null }) as never;
  const call = callOf();
  const known = {
    credit: 77,
    hasEnded: true,
    hasHeaders: true,
    hasBegun: true,
    seen: 5,
    isDenied: true,
    grantDue: 8,
  };
  const flow = Object.assign(flowOf(call, true), known);
  const other = callOf();
  loadStream(other, structuredClone(saveStream(call)!));
  const loaded = flowOf(other, true);
  for (const key of Object.keys(known) as (keyof typeof known)[]) {
    assert.equal(loaded[key], flow[key], key);
  }
  assert.equal(flowOf(other, false).isDenied, false);
});

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { until } from "@koala/testing";
import { joinedSignal } from "./joined-signal.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

for (const index of [0, 1]) {
  test(`aborted with source ${index}, and its reason`, () => {
    const sources = [new AbortController(), new AbortController()];
    const signal = joinedSignal(...sources.map((source) => source.signal));
    let count = 0;
    signal.addEventListener("abort", () => count++);
    collectGarbage();
    sources[index]!.abort("why");
    sources[1 - index]!.abort("later");
    assert.equal(signal.reason, "why");
    assert.equal(count, 1);
    for (const source of sources) {
      assert.equal(getEventListeners(source.signal, "abort").length, 0);
    }
  });
}

test("a source that is aborted already", () => {
  const signal = joinedSignal(new AbortController().signal, AbortSignal.abort("early"));
  assert.equal(signal.reason, "early");
});

test("what nobody holds any more leaves nothing at its sources", async () => {
  const long = new AbortController().signal;
  (() => {
    for (let i = 0; i < 100; i++) joinedSignal(long, new AbortController().signal);
  })();
  await until("the listeners are gone", () => {
    collectGarbage();
    return getEventListeners(long, "abort").length === 0;
  });
});

test("who holds the signal hears of it", async () => {
  const long = new AbortController();
  const signal = joinedSignal(long.signal, new AbortController().signal);
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  long.abort("still heard");
  assert.equal(signal.reason, "still heard");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeMode } from "@koala/protocol";
import type { PlacementConfig } from "../config/index.ts";
import { fullLoad, leastLoaded, type Place, Placer } from "./placement.ts";

function placer(mode: RuntimeMode, rules: PlacementConfig[] = [], runtimesMax = 3): Placer {
  return new Placer({ mode, rules, runtimesMax });
}

/** Runtimes by their apps and loads. */
function places(...facts: [apps: number, load: number, isDedicated?: boolean][]): Place[] {
  return facts.map(([apps, load, isDedicated = false], index) => {
    return { index, isRunning: true, apps, load, isDedicated };
  });
}

test("the least loaded has the fewest apps among those with about the same load", () => {
  assert.equal(leastLoaded(places([3, 0.1], [1, 0.2], [2, 0])).index, 1);
  assert.equal(leastLoaded(places([0, 0.9], [5, 0.1])).index, 1);
  assert.equal(leastLoaded(places([1, 0], [1, 0])).index, 0);
});

test("shared: the least loaded, and none that belongs to somebody", () => {
  const shared = placer("shared");
  assert.equal(shared.choose("a", places([2, 0], [1, 0, true], [3, 0])).index, 0);
  assert.equal(shared.choose("a", places([1, 0.9, true], [1, 0, true])).index, 1, "all belong");
});

test("dedicated: a free one, a new one, the least loaded", () => {
  const dedicated = placer("dedicated");
  assert.deepEqual(dedicated.choose("a", places([1, 0, true], [0, 0])), {
    index: 1,
    isDedicated: true,
  });
  assert.deepEqual(dedicated.choose("a", places([1, 0, true], [1, 0, true])), {
    index: "new",
    isDedicated: true,
  });
  const full = places([1, 0.8, true], [1, 0.1, true], [1, 0.8, true]);
  assert.deepEqual(dedicated.choose("a", full), { index: 1, isDedicated: false });
});

test("compact: the first that is not full", () => {
  const compact = placer("compact");
  assert.equal(compact.choose("a", places([9, 0.1], [0, 0])).index, 0);
  assert.equal(compact.choose("a", places([9, fullLoad], [0, 0])).index, 1);
  assert.equal(compact.choose("a", places([9, 0.9], [3, 0.8], [2, 0.8])).index, 2);
});

test("spread: each in turn", () => {
  const spread = placer("spread");
  const three = places([0, 0.9], [5, 0], [0, 0]);
  const turns = [1, 2, 3, 4, 5].map(() => spread.choose("a", three).index);
  assert.deepEqual(turns, [0, 1, 2, 0, 1]);
});

test("rules: the first that fits, before the mode", () => {
  const rules: PlacementConfig[] = [
    { caller: "db-*", runtime: 1 },
    { caller: "db-main", runtime: 0 },
    { caller: "*-trader", runtime: "dedicated" },
  ];
  const ruled = placer("shared", rules);
  assert.equal(ruled.choose("db-main", places([0, 0], [9, 0.9])).index, 1);
  assert.equal(ruled.choose("hf-trader", places([1, 0], [1, 0])).index, "new");
  assert.equal(ruled.choose("other", places([1, 0], [0, 0])).index, 1);
});

test("one that does not serve yet is for those who must go there", () => {
  const rules: PlacementConfig[] = [{ caller: "db-*", runtime: 1 }];
  const [busy, starting] = places([9, 0.9], [0, 0]);
  const now = [busy!, { ...starting!, isRunning: false }];
  assert.equal(placer("shared", rules).choose("db-x", now).index, 1);
  assert.equal(placer("shared", rules).choose("other", now).index, 0);
  assert.equal(placer("shared").choose("other", [now[1]!]).index, 1, "there is no other");
});

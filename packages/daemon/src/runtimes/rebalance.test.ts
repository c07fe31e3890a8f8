import assert from "node:assert/strict";
import { test } from "node:test";
import { type BusyRuntime, chooseMove } from "./rebalance.ts";

function runtime(
  index: number,
  load: number,
  calls: readonly number[] = [],
  isDedicated = false,
): BusyRuntime {
  const apps = calls.map((count, at) => ({ id: 10 * index + at, calls: count, mayMove: true }));
  return { index, load, apps, isDedicated };
}

test("moves the app that makes the two most alike", () => {
  const busy = runtime(0, 0.9, [10, 50, 40]);
  assert.deepEqual(chooseMove([busy, runtime(1, 0)]), { app: 1, from: 0, to: 1 });
  assert.deepEqual(chooseMove([busy, runtime(1, 0.3)]), { app: 2, from: 0, to: 1 });
  assert.deepEqual(chooseMove([runtime(0, 0.3), runtime(1, 0.9, [1, 1]), runtime(2, 0.1)]), {
    app: 11,
    from: 1,
    to: 2,
  });
});

test("moves nobody when nobody is busy, all are, or nothing would be gained", () => {
  assert.equal(chooseMove([runtime(0, 0.5, [1, 1]), runtime(1, 0)]), undefined);
  assert.equal(chooseMove([runtime(0, 0.9, [1, 1]), runtime(1, 0.8)]), undefined);
  assert.equal(chooseMove([runtime(0, 0.9, [100]), runtime(1, 0)]), undefined, "only the place");
  assert.equal(chooseMove([runtime(0, 0.9, [0, 0]), runtime(1, 0)]), undefined, "no calls");
  assert.equal(chooseMove([runtime(0, 0.9, [1, 1])]), undefined, "there is no other");
});

test("leaves apps that a rule has placed, and runtimes that belong to somebody", () => {
  const tied = { ...runtime(0, 0.9), apps: [{ id: 1, calls: 50, mayMove: false }] };
  assert.equal(chooseMove([tied, runtime(1, 0)]), undefined);
  assert.equal(chooseMove([runtime(0, 0.9, [1, 1]), runtime(1, 0, [], true)]), undefined);
  assert.equal(chooseMove([runtime(0, 0.9, [1, 1], true), runtime(1, 0)]), undefined);
});

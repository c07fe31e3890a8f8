import assert from "node:assert/strict";
import { test } from "node:test";
import { RestartBudget } from "./restart-budget.ts";

test("allows so many in the span, and more once it has passed", () => {
  const budget = new RestartBudget(3, 1000);
  assert.deepEqual(
    [0, 100, 200, 300, 999].map((now) => budget.take(now)),
    [true, true, true, false, false],
  );
  assert.equal(budget.take(1000), true, "the first is a second old");
  assert.equal(budget.take(1001), false);
  assert.equal(budget.take(1100), true);
});

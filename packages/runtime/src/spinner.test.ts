import assert from "node:assert/strict";
import { test } from "node:test";
import { Spinner, type SpinOptions } from "./spinner.ts";

function create(options: Partial<SpinOptions> = {}): Spinner {
  return new Spinner({
    maxMicros: 50,
    fixed: false,
    cores: 2,
    runnableThreads: () => 1,
    ...options,
  });
}

/** Budgets of so many sleeps, none of which finds work. */
function budgets(spinner: Spinner, count: number): number[] {
  return Array.from({ length: count }, () => {
    const micros = spinner.budgetMicros();
    if (micros > 0) spinner.report(false);
    return micros;
  });
}

test("no maximum, no spinning, and no look at the machine", () => {
  const spinner = create({ maxMicros: 0, runnableThreads: () => assert.fail("not needed") });
  assert.deepEqual(budgets(spinner, 300), new Array<number>(300).fill(0));
});

test("a fixed spin is as long as it is, whatever comes of it", () => {
  const spinner = create({ fixed: true, runnableThreads: () => 99 });
  assert.deepEqual(budgets(spinner, 100), new Array<number>(100).fill(50));
});

test("spins that pay grow up to the maximum", () => {
  const spinner = create();
  const seen: number[] = [];
  for (let i = 0; i < 6; i++) {
    seen.push(spinner.budgetMicros());
    spinner.report(true);
  }
  assert.deepEqual(seen, [4, 4, 8, 16, 32, 50]);
  assert.equal(spinner.budgetMicros(), 50);
});

test("spins that do not pay end, but for a try now and then", () => {
  const spinner = create();
  for (let i = 0; i < 6; i++) {
    spinner.budgetMicros();
    spinner.report(true);
  }
  const seen = budgets(spinner, 1000);
  assert.deepEqual(seen.slice(0, 7), [50, 25, 12.5, 6.25, 3.125, 1.5625, 0]);
  const tries = seen.slice(7).filter((micros) => micros > 0);
  assert.ok(tries.length >= 3 && tries.length <= 4, `tries in 1000 sleeps: ${tries.length}`);
  assert.deepEqual(new Set(tries), new Set([4]));
});

test("a try is no longer than the maximum", () => {
  const spinner = create({ maxMicros: 2 });
  assert.equal(spinner.budgetMicros(), 2);
  spinner.report(true);
  assert.equal(spinner.budgetMicros(), 2);
});

test("no spinning while more threads want to run than there are cores", () => {
  let runnable = 3;
  let looks = 0;
  const spinner = create({
    runnableThreads: () => {
      looks++;
      return runnable;
    },
  });
  assert.deepEqual(new Set(budgets(spinner, 512)), new Set([0]));
  assert.equal(looks, 512 / 64, "looking costs system calls");
  runnable = 2;
  assert.ok(budgets(spinner, 300).some((micros) => micros > 0));
});

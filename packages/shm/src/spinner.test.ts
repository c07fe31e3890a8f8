import assert from "node:assert/strict";
import { test } from "node:test";
import { SpinHistory, Spinner, type SpinOptions } from "./spinner.ts";

function create(options: Partial<SpinOptions> = {}): Spinner {
  return new Spinner({
    maxMicros: 50,
    fixed: false,
    cores: 2,
    runnableThreads: () => 1,
    ...options,
  });
}

/** Lets the spinner see so many pauses of one length. */
function pauses(spinner: Spinner, history: SpinHistory, count: number, micros: number): void {
  for (let i = 0; i < count; i++) spinner.learn(history, micros);
}

test("no maximum, no spinning, and no look at the machine", () => {
  const spinner = create({ maxMicros: 0, runnableThreads: () => assert.fail("not needed") });
  assert.equal(spinner.budgetMicros(new SpinHistory()), 0);
});

test("a fixed spin is as long as it is, whatever comes of it", () => {
  const spinner = create({ fixed: true, runnableThreads: () => 99 });
  const history = new SpinHistory();
  pauses(spinner, history, 100, 1e6);
  assert.equal(spinner.budgetMicros(history), 50);
});

test("it does not spin before it has seen short pauses", () => {
  assert.equal(create().budgetMicros(new SpinHistory()), 0);
});

test("it spins after a few short pauses, and stops after as many long ones", () => {
  const spinner = create();
  const history = new SpinHistory();
  pauses(spinner, history, 4, 50);
  assert.equal(spinner.budgetMicros(history), 0);
  pauses(spinner, history, 4, 50);
  assert.equal(spinner.budgetMicros(history), 50);
  pauses(spinner, history, 4, 51);
  assert.equal(spinner.budgetMicros(history), 0);
});

test("a rare long pause does not matter", () => {
  const spinner = create();
  const history = new SpinHistory();
  pauses(spinner, history, 50, 10);
  pauses(spinner, history, 1, 5000);
  assert.equal(spinner.budgetMicros(history), 50);
});

test("what follows one engine says nothing about another", () => {
  const spinner = create();
  const [near, far] = [new SpinHistory(), new SpinHistory()];
  for (let i = 0; i < 50; i++) {
    spinner.learn(near, 20);
    spinner.learn(far, 200);
  }
  assert.equal(spinner.budgetMicros(near), 50);
  assert.equal(spinner.budgetMicros(far), 0);
});

test("it does not spin while far more threads are runnable than there are cores", () => {
  let runnable = 6;
  let looks = 0;
  const spinner = create({
    runnableThreads: () => {
      looks++;
      return runnable;
    },
  });
  const history = new SpinHistory();
  const spins = (count: number): number =>
    Array.from({ length: count }, () => spinner.budgetMicros(history)).filter((m) => m > 0).length;
  pauses(spinner, history, 50, 10);
  spins(96);
  assert.equal(spins(64), 0);
  runnable = 2;
  spins(64);
  assert.equal(spins(64), 64);
  assert.equal(looks, 18, "one look in 16 pauses");
});

test("one look that finds a crowd by chance does not end the spinning", () => {
  let runnable = 2;
  const spinner = create({ runnableThreads: () => runnable });
  const history = new SpinHistory();
  pauses(spinner, history, 50, 10);
  for (let i = 0; i < 64; i++) spinner.budgetMicros(history);
  runnable = 9;
  assert.equal(spinner.budgetMicros(history), 50);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { runRounds } from "@koala/testing";
import { timerWheelRound } from "./timer-wheel.fuzz.ts";
import { Timer, TimerWheel } from "./timer-wheel.ts";

function createTimers(count: number): { timers: Timer[]; fired: number[] } {
  const fired: number[] = [];
  const timers = Array.from({ length: count }, (_, index) => new Timer(() => fired.push(index)));
  return { timers, fired };
}

test("a timer fires at its moment, once", () => {
  const wheel = new TimerWheel(100);
  const { timers, fired } = createTimers(1);
  wheel.set(timers[0]!, 110);
  assert.equal(wheel.count, 1);
  assert.equal(wheel.untilNextMs(100), 10);
  wheel.advance(109.9);
  assert.deepEqual(fired, []);
  wheel.advance(110);
  assert.deepEqual(fired, [0]);
  assert.equal(wheel.count, 0);
  assert.equal(wheel.untilNextMs(110), -1);
  wheel.advance(5000);
  assert.deepEqual(fired, [0]);
});

test("a timer never fires early, by parts of a millisecond neither", () => {
  const wheel = new TimerWheel(0.9);
  const { timers, fired } = createTimers(1);
  wheel.set(timers[0]!, 4.2);
  wheel.advance(4.9);
  assert.deepEqual(fired, []);
  wheel.advance(5);
  assert.deepEqual(fired, [0]);
});

test("a moment that has passed fires with the next step of the clock", () => {
  const wheel = new TimerWheel(1000);
  const { timers, fired } = createTimers(1);
  wheel.set(timers[0]!, 3);
  wheel.advance(1000);
  assert.deepEqual(fired, []);
  wheel.advance(1001);
  assert.deepEqual(fired, [0]);
});

test("timers fire in the order of their moments", () => {
  const wheel = new TimerWheel(0);
  const { timers, fired } = createTimers(4);
  for (const [index, dueMs] of [30, 10, 40, 20].entries()) wheel.set(timers[index]!, dueMs);
  wheel.advance(100);
  assert.deepEqual(fired, [1, 3, 0, 2]);
});

test("timers of one bucket do not disturb each other", () => {
  const wheel = new TimerWheel(0);
  const { timers, fired } = createTimers(4);
  for (const [turn, timer] of timers.entries()) wheel.set(timer, 7 + 1024 * turn);
  wheel.clear(timers[1]!);
  wheel.advance(7);
  assert.deepEqual(fired, [0]);
  wheel.advance(7 + 1024);
  assert.deepEqual(fired, [0]);
  wheel.advance(7 + 3 * 1024);
  assert.deepEqual(fired.sort(), [0, 2, 3]);
});

test("a timer is moved and disarmed, also when it is not armed", () => {
  const wheel = new TimerWheel(0);
  const { timers, fired } = createTimers(1);
  const timer = timers[0]!;
  wheel.clear(timer);
  wheel.set(timer, 5);
  wheel.set(timer, 2000);
  wheel.advance(1999);
  assert.deepEqual(fired, []);
  wheel.clear(timer);
  wheel.clear(timer);
  wheel.advance(3000);
  assert.deepEqual(fired, []);
  assert.equal(wheel.count, 0);
});

test("a timer that arms itself for a moment that has passed does not hang the wheel", () => {
  const wheel = new TimerWheel(0);
  let count = 0;
  const timer: Timer = new Timer(() => {
    count++;
    wheel.set(timer, 0);
  });
  wheel.set(timer, 1);
  wheel.advance(5000);
  assert.equal(count, 1);
  wheel.advance(5001);
  assert.equal(count, 2);
});

test("a clock that goes back changes nothing", () => {
  const wheel = new TimerWheel(1000);
  const { timers, fired } = createTimers(1);
  wheel.set(timers[0]!, 1010);
  wheel.advance(900);
  assert.deepEqual(fired, []);
  wheel.advance(1010);
  assert.deepEqual(fired, [0]);
});

test("it does what a sorted list does", async () => {
  await runRounds(timerWheelRound, 1, 150);
});

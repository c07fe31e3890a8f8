/**
 * The timing wheel against a plain list.
 *
 * 1. Random steps: arm, move and disarm timers, with due moments from the past to far beyond the wheel's
 *    turn, and let the clock go by nothing, by milliseconds, or by several turns.
 * 2. What fires arms, moves or disarms others, and itself, now and then.
 * 3. After each step of the clock, what has fired must be what was due, each once, and `untilNextMs` must
 *    not be later than the next due moment.
 */
import assert from "node:assert/strict";
import { fuzzMain, type Prng } from "@koala/testing";
import { Timer, TimerWheel } from "./timer-wheel.ts";

const timerCount = 40;
const stepsPerRound = 400;

/** One round of steps 1 to 3. */
export function timerWheelRound(prng: Prng): void {
  let nowMs = prng.pick([0, 1000.5, 2 ** 31 - 2000, 2 ** 32 - 2000, 2 ** 41 + 0.25]);
  const wheel = new TimerWheel(nowMs);
  /** When each armed timer must fire: the first whole moment that is not in the past. */
  const due = new Map<Timer, number>();
  /** The wheel's clock stands still between two calls of `advance`. */
  let wheelMs = Math.floor(nowMs);

  const change = (timer: Timer): void => {
    if (prng.chance(0.3)) {
      wheel.clear(timer);
      due.delete(timer);
      return;
    }
    const reach = prng.pick([3, 50, 1024, 5000, 1e6]);
    const moment = nowMs - 5 + prng.below(reach) + prng.pick([0, 0.3]);
    wheel.set(timer, moment);
    due.set(timer, Math.max(Math.ceil(moment), wheelMs + 1));
  };
  const timers: Timer[] = Array.from({ length: timerCount }, (_, index) => {
    return new Timer(() => {
      const timer = timers[index]!;
      const expected = due.get(timer);
      assert.ok(expected !== undefined, "it is armed");
      assert.ok(expected <= wheelMs, `it is due at ${expected}, not yet at ${wheelMs}`);
      assert.equal(timer.bucket, -1, "it has left the wheel");
      due.delete(timer);
      if (prng.chance(0.2)) change(timer);
      if (prng.chance(0.2)) change(prng.pick(timers));
    });
  });

  for (let step = 0; step < stepsPerRound; step++) {
    if (prng.chance(0.6)) {
      change(prng.pick(timers));
    } else {
      nowMs += prng.pick([0, 0.4, 1, 7, 300, 1023, 1024, 1025, 5000]) * prng.between(0, 2);
      wheelMs = Math.max(wheelMs, Math.floor(nowMs));
      wheel.advance(nowMs);
      const late = [...due.values()].filter((moment) => moment <= wheelMs);
      assert.deepEqual(late, [], `due by ${wheelMs}, and not fired`);
    }
    assert.equal(wheel.count, due.size);
    checkUntil(wheel, nowMs, due);
  }
}

function checkUntil(wheel: TimerWheel, nowMs: number, due: ReadonlyMap<Timer, number>): void {
  const untilMs = wheel.untilNextMs(nowMs);
  if (due.size === 0) {
    assert.equal(untilMs, -1);
    return;
  }
  const next = Math.min(...due.values());
  assert.ok(untilMs >= 0 && untilMs <= Math.max(0, next - nowMs), `${untilMs} ms, due at ${next}`);
}

await fuzzMain(import.meta.url, "timer-wheel", timerWheelRound);

import assert from "node:assert/strict";
import { it } from "node:test";
import { ReplayClock } from "./replay-clock.ts";

it("fires timers in order on the way, at their moments", () => {
  const clock = new ReplayClock();
  const seen: string[] = [];
  const timer = (name: string) => clock.timer(() => seen.push(`${name} ${clock.nowMs}`));
  const early = timer("early");
  const late = timer("late");
  const never = timer("never");
  late.set(20);
  early.set(10);
  never.set(15);
  never.clear();
  clock.advance(12);
  assert.deepEqual(seen, ["early 10"]);
  early.set(3);
  clock.advance(30);
  assert.deepEqual(seen, ["early 10", "early 15", "late 20"]);
  assert.equal(clock.nowMs, 30);
  clock.advance(5);
  assert.equal(clock.nowMs, 30, "time does not go back");
});

it("ends, though a timer arms itself again and again", () => {
  const clock = new ReplayClock();
  let fired = 0;
  const timer = clock.timer(() => {
    fired++;
    timer.set(0);
  });
  timer.set(0);
  clock.advance(1);
  assert.ok(fired > 1000);
  assert.equal(clock.nowMs, 1);
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WallClock } from "./wall-clock.ts";

/** What a clock in whole milliseconds shows. */
function wallMs(monotonicMicros: number, offsetMicros: number): number {
  return Math.floor((monotonicMicros + offsetMicros) / 1000);
}

describe("WallClock", () => {
  it("gets closer to the offset than the clock that it reads", () => {
    const offset = 1_700_000_000_123_456;
    const clock = new WallClock();
    let best = 0;
    for (let now = 0; now < 1_000_000; now += 7777) {
      best = clock.offsetMicros(wallMs(now, offset), now);
    }
    assert.ok(best <= offset && best > offset - 50, `off by ${offset - best}`);
  });

  it("follows a clock that is set back", () => {
    const clock = new WallClock();
    clock.offsetMicros(1_700_000_000_000, 0);
    const later = clock.offsetMicros(1_600_000_000_000, 1000);
    assert.equal(later, 1_600_000_000_000_000 - 1000);
  });
});

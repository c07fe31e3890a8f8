import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesAllocatedBy } from "./allocations.ts";

describe("bytesAllocatedBy", () => {
  it("sees an object a call, and none where there is none", () => {
    const kept: unknown[] = new Array(8).fill(0);
    let count = 0;
    const times = 5000;
    const allocating = bytesAllocatedBy(() => {
      count++;
      kept[count & 7] = { count };
    }, times);
    assert.ok(allocating >= 16 * times, `${allocating}`);
    const quiet = bytesAllocatedBy(() => {
      count = (count + 1) & 0xffff;
    }, times);
    assert.ok(quiet < 2 * times, `${quiet}`);
  });
});

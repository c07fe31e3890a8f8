import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { closeFd, doorbellCreate, doorbellRing } from "@koala/native";
import { FdWaiter } from "./fd-waiter.ts";

describe("FdWaiter", () => {
  it("asks again after each change, and not without one", () => {
    const waiter = new FdWaiter();
    const bell = doorbellCreate();
    waiter.add(bell);
    let asked = 0;
    waiter.until("asked three times", () => {
      doorbellRing(bell);
      return ++asked === 3;
    });
    asked = 0;
    // The last ring is still unseen; after it nothing changes any more.
    assert.throws(
      () => waiter.until("asked ten times", () => ++asked === 10, 50),
      /50 ms: asked ten times/,
    );
    assert.ok(asked <= 3, `${asked}`);
    waiter.close();
    closeFd(bell);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createBoundedPublisher } from "./bounded-publisher.ts";
import { EventBus } from "./event-bus.ts";

describe("createBoundedPublisher", () => {
  it("publishes as a runtime does, without naming one, and tells what it left out", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const bus = new EventBus();
    const emit = createBoundedPublisher(bus);
    emit("app", "refused", { pid: 3 });
    assert.deepEqual(bus.history()[0]!.fields, { pid: 3 });
    for (let i = 0; i < 500; i++) emit("app", "refused", { pid: 3 });
    const count = bus.history().length;
    assert.ok(count < 200, `${count} events`);
    test.mock.timers.tick(1000);
    assert.deepEqual(bus.history().at(-1)!.fields, { count: 501 - count });
    assert.equal(bus.history().at(-1)!.name, "dropped");
  });
});

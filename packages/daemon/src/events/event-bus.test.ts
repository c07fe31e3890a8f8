import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DaemonEvent, EventGap } from "@koala/protocol";
import { EventBus, type Subscription } from "./event-bus.ts";

/** Everything that a subscriber has now, as `topic/name`, or `-N` where N were lost. */
function takeAll(subscription: Subscription): string[] {
  const taken: string[] = [];
  for (let next = subscription.take(); next !== undefined; next = subscription.take()) {
    taken.push(nameOf(next));
  }
  return taken;
}

function nameOf(line: DaemonEvent | EventGap): string {
  return "dropped" in line ? `-${line.dropped}` : `${line.topic}/${line.name}`;
}

const ignore = (): void => {};

describe("EventBus", () => {
  it("numbers events, and keeps the last ones", () => {
    const bus = new EventBus({ kept: 3 });
    assert.equal(bus.lastSeq, 0);
    assert.equal(bus.lostSince(0), 0);
    for (let i = 1; i <= 5; i++) bus.publish("app", `e${i}`, { i }, i * 1000);
    assert.equal(bus.lastSeq, 5);
    assert.deepEqual(bus.history()[0], {
      seq: 3,
      time: "1970-01-01T00:00:03.000Z",
      topic: "app",
      name: "e3",
      fields: { i: 3 },
    });
    assert.deepEqual(bus.history({ since: 4 }).map(nameOf), ["app/e5"]);
    assert.deepEqual(bus.history({ last: 2 }).map(nameOf), ["app/e4", "app/e5"]);
    assert.deepEqual(bus.history({ last: 0 }), []);
    assert.deepEqual(
      [bus.lostSince(0), bus.lostSince(1), bus.lostSince(2), bus.lostSince(9)],
      [2, 1, 0, 0],
    );
  });

  it("gives a subscriber what is kept, and then what comes, of its topics", () => {
    const bus = new EventBus();
    bus.publish("app", "attached");
    bus.publish("link", "up");
    const links = bus.subscribe({ topics: ["link"] }, ignore);
    const all = bus.subscribe({ last: 1 }, ignore);
    bus.publish("link", "down");
    bus.publish("app", "detached");
    assert.deepEqual(takeAll(links), ["link/up", "link/down"]);
    assert.deepEqual(takeAll(all), ["link/up", "link/down", "app/detached"]);
    assert.deepEqual(takeAll(all), []);
    links.close();
    bus.publish("link", "up");
    assert.deepEqual(takeAll(links), []);
    assert.deepEqual(takeAll(all), ["link/up"]);
  });

  it("wakes a subscriber when there is something after nothing, and only then", () => {
    const bus = new EventBus();
    let wakes = 0;
    const subscription = bus.subscribe({}, () => wakes++);
    for (let i = 0; i < 10; i++) bus.publish("app", "attached");
    assert.equal(wakes, 1);
    takeAll(subscription);
    bus.publish("app", "attached");
    assert.equal(wakes, 2);
  });

  it("drops the oldest for a subscriber that does not read, counts them, and bothers nobody else", () => {
    const bus = new EventBus({ queued: 3 });
    const slow = bus.subscribe({}, ignore);
    const quick = bus.subscribe({}, ignore);
    const seen: string[] = [];
    for (let i = 1; i <= 10; i++) {
      bus.publish("policy", `e${i}`);
      seen.push(...takeAll(quick));
    }
    assert.deepEqual(takeAll(slow), ["-7", "policy/e8", "policy/e9", "policy/e10"]);
    assert.equal(seen.length, 10);
    bus.publish("policy", "e11");
    assert.deepEqual(takeAll(slow), ["policy/e11"], "a loss is told once");
  });

  it("goes on in another process, and tells nothing twice", () => {
    const old = new EventBus();
    old.publish("app", "attached", {}, 1000);
    const reader = old.subscribe({}, ignore);
    assert.deepEqual(takeAll(reader), ["app/attached"]);
    const state = structuredClone(old.save());
    old.publish("upgrade", "called-off", {}, 2000);
    assert.deepEqual(takeAll(reader), [], "it waits");
    const next = new EventBus();
    next.publish("runtime", "started", { runtime: 0 }, 3000);
    assert.notEqual(next.id, old.id);
    next.restore(state);
    assert.equal(next.id, old.id);
    next.publish("daemon", "ready", {}, 4000);
    assert.deepEqual(
      next.history().map((event) => [event.seq, nameOf(event), Date.parse(event.time)]),
      [
        [1, "app/attached", 1000],
        [2, "runtime/started", 3000],
        [3, "daemon/ready", 4000],
      ],
    );
    // Nobody took over after all.
    old.resume();
    assert.deepEqual(takeAll(reader), ["upgrade/called-off"]);
    assert.equal(old.history().at(-1)!.time, "1970-01-01T00:00:02.000Z");
    old.publish("app", "detached");
    assert.equal(old.lastSeq, 3);
  });

  it("keeps order over many turns of a queue", () => {
    const bus = new EventBus({ kept: 7, queued: 5 });
    const subscription = bus.subscribe({}, ignore);
    let last = 0;
    for (let i = 0; i < 500; i++) {
      for (let j = 0; j <= i % 7; j++) bus.publish("app", "x");
      for (let k = 0; k < 3; k++) {
        const next = subscription.take();
        if (next === undefined) break;
        if ("dropped" in next) last += next.dropped;
        else assert.equal(next.seq, ++last);
      }
    }
    assert.deepEqual(
      bus.history().map(({ seq }) => seq),
      Array.from({ length: 7 }, (_, i) => bus.lastSeq - 6 + i),
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import { Passage, runRequest, runResponse } from "./chain.ts";
import { createCall, createChain, createHost, createSlot } from "./fake-host-helper.test.ts";

const broken = {
  onRequest: () => {
    throw new Error("on purpose");
  },
};

describe("a slot", () => {
  it("fail closed: a policy that throws is taken out, its calls are denied", () => {
    const host = createHost();
    const chain = createChain([createSlot(host, "a", broken)]);
    for (let i = 0; i < 3; i++) {
      const call = createCall(chain);
      assert.equal(runRequest(call, 1), Passage.DENIED);
      assert.equal(call.denial.status, Status.UNAVAILABLE);
      assert.equal(call.denial.policy, "a");
    }
    assert.equal(host.failures.length, 1, "said once");
    assert.match(host.failures[0]!, /^onRequest threw: on purpose \(.*slot\.test/);
    assert.equal(host.running[0], 0);
  });

  it("fail open: its calls pass", () => {
    const host = createHost();
    const chain = createChain([createSlot(host, "a", broken, { onFailure: "open" })]);
    assert.equal(runRequest(createCall(chain), 1), Passage.PASSED);
    assert.equal(host.failures.length, 1);
  });

  it("a handler that takes longer than its budget takes the policy out, the second time", () => {
    const host = createHost();
    const slot = createSlot(host, "a", {
      onRequest: () => {
        assert.equal(host.running[0], slot.id, "whoever watches sees whose handler runs");
        host.micros += 1001;
        host.cpu += 1001;
        return undefined;
      },
    });
    const chain = createChain([slot]);
    assert.equal(runRequest(createCall(chain), 1), Passage.PASSED);
    assert.equal(slot.failure, "");
    slot.roundTook(host.round.serial, 1001);
    host.round.serial++;
    assert.equal(runRequest(createCall(chain), 1), Passage.PASSED);
    assert.match(slot.failure, /took 1001 µs of processor time, its budget is 1000 µs/);
  });

  it("a handler whose thread had to wait for a processor is not to blame", () => {
    const host = createHost();
    const slot = createSlot(host, "a", {
      onRequest: () => {
        host.micros += 50_000;
        host.cpu += 900;
        return undefined;
      },
    });
    const chain = createChain([slot]);
    for (let i = 0; i < 100; i++) {
      runRequest(createCall(chain), 1);
      slot.roundTook(host.round.serial, 50_000);
      host.round.serial++;
    }
    assert.equal(slot.failure, "");
  });

  it("calls that a failed policy holds are offered to it again, and pass or are denied", () => {
    for (const onFailure of ["open", "closed"] as const) {
      const host = createHost();
      const slot = createSlot(host, "a", { onRequest: (call) => call.hold() }, { onFailure });
      const outcomes: Passage[] = [];
      const chain = createChain([slot]);
      const call = createCall(chain, () => outcomes.push(runRequest(call, 1)));
      runRequest(call, 1);
      slot.fail("somebody said so");
      assert.deepEqual(outcomes, [onFailure === "open" ? Passage.PASSED : Passage.DENIED]);
    }
  });

  it("a timer that throws takes the policy out, and the others with it", () => {
    const host = createHost();
    createSlot(host, "a", {
      start: (ctx) => {
        ctx.timer(() => {}).set(5);
        ctx
          .timer(() => {
            throw new Error("late");
          })
          .set(1);
      },
    });
    assert.equal(host.timers.size, 2);
    const [, second] = [...host.timers];
    second!();
    assert.match(host.failures[0]!, /^a timer threw: late/);
    assert.equal(host.timers.size, 0);
  });

  it("a policy can't change its configuration", () => {
    const host = createHost();
    const config = { rules: [{ name: "one" }] };
    const slot = createSlot(
      host,
      "a",
      {
        onRequest: (_call, ctx) => {
          (ctx.config as typeof config).rules[0]!.name = "two";
          return undefined;
        },
      },
      { config },
    );
    runRequest(createCall(createChain([slot])), 1);
    assert.match(slot.failure, /read only|read-only/);
    assert.equal(config.rules[0]!.name, "one");
  });

  it("a new configuration gives a failed policy another chance", () => {
    const host = createHost();
    const slot = createSlot(
      host,
      "a",
      {
        onRequest: (_call, ctx) => {
          if (ctx.config === "bad") throw new Error("bad");
          return undefined;
        },
      },
      { config: "bad" },
    );
    const chain = createChain([slot]);
    runRequest(createCall(chain), 1);
    slot.reconfigure("good");
    assert.equal(slot.failure, "");
    assert.equal(runRequest(createCall(chain), 1), Passage.PASSED);
  });

  it("what a policy has built around its context sees the new configuration", () => {
    const host = createHost();
    const seen: unknown[] = [];
    const slot = createSlot(
      host,
      "a",
      { start: (ctx) => ctx.timer(() => void seen.push(ctx.config)).set(1) },
      { config: "old" },
    );
    slot.reconfigure("new");
    for (const fire of host.timers) fire();
    assert.deepEqual(seen, ["new"]);
  });

  it("an upgrade moves the state, and offers held calls again", () => {
    const host = createHost();
    const slot = createSlot(host, "a", {
      start: () => ({ seen: 3 }),
      export: ({ state }) => state,
      onRequest: (call) => call.hold(),
    });
    const chain = createChain([slot]);
    let woken = 0;
    const call = createCall(chain, () => woken++);
    runRequest(call, 1);
    slot.upgrade(
      {
        ...slot.definition,
        version: "2.0.0",
        import: (saved, version) => ({ ...(saved as object), from: version }),
        onRequest: () => undefined,
      },
      {},
    );
    assert.deepEqual(slot.ctx.state, { seen: 3, from: 1 });
    assert.equal(woken, 1);
    assert.equal(runRequest(call, 1), Passage.PASSED);
    runResponse(call, () => assert.fail());
  });

  it("an upgrade that fails changes nothing", () => {
    const host = createHost();
    let fire = 0;
    const slot = createSlot(host, "a", {
      start: (ctx) => {
        ctx.timer(() => fire++).set(1);
        return { seen: 3 };
      },
      export: ({ state }) => state,
      onRequest: (call) => call.hold(),
    });
    const before = slot.definition;
    runRequest(createCall(createChain([slot])), 1);
    const next = {
      ...before,
      import: (
        _saved: unknown,
        _version: number,
        ctx: Parameters<NonNullable<typeof before.start>>[0],
      ) => {
        ctx.timer(() => assert.fail("it is not the new code's turn")).set(1);
        throw new Error("a state I don't know");
      },
    };
    assert.throws(() => slot.upgrade(next, {}), /a state I don't know/);
    assert.equal(slot.definition, before);
    assert.deepEqual(slot.ctx.state, { seen: 3 });
    assert.equal(slot.held.size, 1);
    for (const timer of host.timers) timer();
    assert.equal(fire, 1, "the old timers still run");
  });

  it("what onRoute must not answer with takes the policy out, and changes nothing", () => {
    const host = createHost();
    const slot = createSlot(host, "a", {
      onRoute: () => ({ label: "invented", isLocal: true, instances: 1, inFlight: 0 }),
    });
    const chain = createChain([slot]);
    const endpoints = [{ label: "real", isLocal: true, instances: 1, inFlight: 0 }];
    assert.equal(slot.route(createCall(chain), chain.steps[0]!, endpoints), endpoints);
    assert.match(slot.failure, /not among the endpoints/);
  });
});

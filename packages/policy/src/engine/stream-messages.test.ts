import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import type { PolicyDefinition } from "../definition.ts";
import { listensToStream, Passage, runRequest, runResponse, runStreamMessage } from "./chain.ts";
import {
  createCall,
  createChain,
  createHost,
  createSlot,
  type FakeHost,
  type Journal,
  listener,
} from "./fake-host-helper.test.ts";
import { createMessage, pass, reader } from "./fake-stream-helper.test.ts";
import type { LiveCall } from "./live-call.ts";
import type { Slot } from "./slot.ts";

/** A call whose request has passed these policies. */
function callThrough(client: readonly Slot[], server: readonly Slot[] = []): LiveCall {
  const chain = createChain(client, server);
  const call = createCall(chain);
  assert.equal(runRequest(call, chain.steps.length), Passage.PASSED);
  return call;
}

/** One policy of these handlers, and a call that has passed it. */
function single(
  handlers: Partial<PolicyDefinition>,
  options: { onFailure?: "open" | "closed"; config?: unknown } = {},
): { call: LiveCall; slot: Slot; host: FakeHost } {
  const host = createHost();
  const slot = createSlot(host, "a", handlers, options);
  return { call: callThrough([slot]), slot, host };
}

const broken: Partial<PolicyDefinition> = {
  onStreamMessage: () => {
    throw new Error("on purpose");
  },
};

describe("messages of streams", () => {
  it("of the client pass policies in their order, those of the server the other way", () => {
    const journal: Journal = [];
    const host = createHost();
    const slots = ["a", "b", "c"].map((name) => createSlot(host, name, reader(journal, name)));
    const call = callThrough(slots.slice(0, 2), slots.slice(2));
    assert.ok(listensToStream(call));
    runStreamMessage(call, createMessage("client", "tea"));
    runStreamMessage(call, createMessage("server", "cup", { index: 4 }));
    assert.deepEqual(journal, [
      "a client 0 tea",
      "b client 0 tea",
      "c client 0 tea",
      "c server 4 cup",
      "b server 4 cup",
      "a server 4 cup",
    ]);
    assert.equal(host.running[0], 0);
  });

  it("are not shown to policies that have not seen the request, or do not listen", () => {
    const journal: Journal = [];
    const host = createHost();
    const idle = createSlot(host, "idle", listener([], "idle"));
    const deaf = createSlot(host, "deaf", { ...reader(journal, "deaf"), listens: () => false });
    const absent = createSlot(host, "absent", {
      ...reader(journal, "absent"),
      prepare: () => false,
    });
    const late = createSlot(host, "late", reader(journal, "late"));
    const chain = createChain([idle, deaf, absent, late]);
    const call = createCall(chain);
    runRequest(call, 2);
    assert.equal(listensToStream(call), false);
    assert.deepEqual(pass(call, "client"), [Passage.PASSED, ""]);
    runRequest(call, 3);
    assert.ok(listensToStream(call));
    pass(call, "client");
    assert.deepEqual(journal, ["late client 0 "]);
  });

  it("go on as each policy leaves them to the next one", () => {
    const host = createHost();
    const adding = (name: string): Slot =>
      createSlot(host, name, {
        onStreamMessage: (message) => {
          message.replace(`${String(message.value)}${name}`);
          return undefined;
        },
      });
    const call = callThrough([adding("a"), adding("b")]);
    assert.deepEqual(pass(call, "client", "-"), [Passage.PASSED, "-ab"]);
    assert.deepEqual(pass(call, "server", "-"), [Passage.PASSED, "-ba"]);
  });

  it("find what the request has left with the call", () => {
    const { call } = single({
      onRequest: (of) => {
        of.local = 0;
        return undefined;
      },
      onStreamMessage: (_, of) => {
        of.local = (of.local as number) + 1;
        return of.local === 3 ? of.deny(Status.RESOURCE_EXHAUSTED, "three") : undefined;
      },
    });
    const passages = [1, 2, 3].map(() => pass(call, "client")[0]);
    assert.deepEqual(passages, [Passage.PASSED, Passage.PASSED, Passage.DENIED]);
  });

  it("a denial names its policy and rule; those behind it do not see the message, all see the end", () => {
    const journal: Journal = [];
    const host = createHost();
    const both = (name: string): Partial<PolicyDefinition> => ({
      ...reader(journal, name),
      onResponse: listener(journal, name).onResponse!,
    });
    const deny: Partial<PolicyDefinition> = {
      ...both("b"),
      onStreamMessage: (_, of) => of.deny(Status.PERMISSION_DENIED, "no", "rule-1"),
    };
    const slots = [
      createSlot(host, "a", both("a")),
      createSlot(host, "b", deny),
      createSlot(host, "c", both("c")),
    ];
    const call = callThrough(slots);
    assert.equal(pass(call, "client", "x")[0], Passage.DENIED);
    const { status, message, policy, rule } = call.denial;
    assert.deepEqual([status, message, policy, rule], [7, "no", "b", "rule-1"]);
    assert.equal(slots[1]!.denials, 1);
    runResponse(call, () => assert.fail("nobody denied the outcome"));
    assert.deepEqual(journal, ["a client 0 x", "c response", "b response", "a response"]);
    assert.equal(call.chain, null);
  });

  it("a malformed one is its sender's fault", () => {
    const { call, slot } = single({ onStreamMessage: ({ value }) => void value });
    const message = createMessage("server", "", { isMalformed: true });
    assert.equal(runStreamMessage(call, message), Passage.MALFORMED);
    assert.equal(slot.failure, "");
  });

  it("a policy that throws: with fail closed the message and those behind it are denied", () => {
    const { call, host } = single(broken);
    for (let i = 0; i < 2; i++) {
      assert.equal(pass(call, "client")[0], Passage.DENIED);
      const { status, policy, message } = call.denial;
      assert.deepEqual([status, policy], [Status.UNAVAILABLE, "a"]);
      assert.match(message, /out of service/);
    }
    assert.equal(host.failures.length, 1, "said once");
    assert.match(host.failures[0]!, /^onStreamMessage threw: on purpose \(/);
  });

  it("a policy that throws: with fail open they pass", () => {
    const { call, host } = single(broken, { onFailure: "open" });
    assert.equal(pass(call, "client")[0], Passage.PASSED);
    assert.equal(listensToStream(call), false);
    assert.equal(pass(call, "client")[0], Passage.PASSED);
    assert.equal(host.failures.length, 1);
  });

  it("a policy that fails elsewhere refuses the messages of calls that it let pass", () => {
    const { call, slot } = single({ onStreamMessage: () => undefined });
    assert.equal(pass(call, "client")[0], Passage.PASSED);
    slot.fail("somebody said so");
    assert.ok(listensToStream(call));
    assert.equal(pass(call, "server")[0], Passage.DENIED);
  });

  it("HOLD is refused, and takes the policy out", () => {
    for (const onFailure of ["open", "closed"] as const) {
      const { call, slot } = single({ onStreamMessage: (_, of) => of.hold() }, { onFailure });
      const expected = onFailure === "open" ? Passage.PASSED : Passage.DENIED;
      assert.equal(pass(call, "client")[0], expected);
      assert.match(slot.failure, /^onStreamMessage answered HOLD/);
      assert.equal(slot.held.size, 0);
    }
  });

  it("a handler that takes longer than its budget takes the policy out, the second time", () => {
    const { call, slot, host } = single({
      onStreamMessage: () => {
        host.cpu += 1001;
        return undefined;
      },
    });
    assert.equal(pass(call, "client")[0], Passage.PASSED);
    assert.equal(slot.failure, "");
    slot.roundTook(host.round.serial, 1001);
    host.round.serial++;
    assert.equal(pass(call, "client")[0], Passage.PASSED, "this one was let pass");
    assert.match(slot.failure, /took 1001 µs of processor time/);
    assert.equal(pass(call, "client")[0], Passage.DENIED);
  });

  it("a policy that is configured anew is asked again whether it is for the method, and listens", () => {
    const seen: unknown[] = [];
    const { call, slot } = single(
      {
        prepare: (_, ctx) => (ctx.config as string) !== "off" && `prepared ${String(ctx.config)}`,
        listens: (_, ctx) => ctx.config !== "deaf",
        onStreamMessage: (_, of) => void seen.push(of.prepared),
      },
      { config: "one" },
    );
    for (const config of ["two", "deaf", "three", "off", "four"]) {
      pass(call, "client");
      slot.reconfigure(config);
      assert.equal(listensToStream(call), config !== "deaf" && config !== "off", config);
    }
    pass(call, "client");
    const expected = ["one", "two", "three", "four"].map((config) => `prepared ${config}`);
    assert.deepEqual(seen, expected);
  });

  it("new code has its turn with the next message", () => {
    const seen: string[] = [];
    const { call, slot } = single({ onStreamMessage: () => void seen.push("old") });
    pass(call, "server");
    slot.upgrade({ ...slot.definition, onStreamMessage: () => void seen.push("new") }, {});
    pass(call, "server");
    const { onStreamMessage: _, ...silent } = slot.definition;
    slot.upgrade(silent, {});
    assert.equal(listensToStream(call), false);
    pass(call, "server");
    assert.deepEqual(seen, ["old", "new"]);
  });
});

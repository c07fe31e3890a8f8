import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import { Verdict } from "../verdict.ts";
import { malformedMessage } from "./call-source.ts";
import { Passage, runRequest, runResponse } from "./chain.ts";
import {
  createCall,
  createChain,
  createHost,
  createSlot,
  type Journal,
  listener,
} from "./fake-host-helper.test.ts";

const nobody = (): void => assert.fail("nobody denied it");

describe("a chain", () => {
  it("requests pass it in order, replies come back the other way", () => {
    const journal: Journal = [];
    const host = createHost();
    const slots = ["a", "b", "c"].map((name) => createSlot(host, name, listener(journal, name)));
    const chain = createChain(slots.slice(0, 2), slots.slice(2));
    const call = createCall(chain);
    assert.equal(runRequest(call, chain.clientCount), Passage.PASSED);
    assert.equal(call.stage, 2);
    assert.equal(runRequest(call, chain.steps.length), Passage.PASSED);
    assert.equal(runResponse(call, nobody), Passage.PASSED);
    assert.deepEqual(journal, [
      "a request",
      "b request",
      "c request",
      "c response",
      "b response",
      "a response",
    ]);
    assert.equal(call.chain, null, "the call is through");
  });

  it("a denial is seen by those before it, and by nobody else", () => {
    const journal: Journal = [];
    const host = createHost();
    const chain = createChain([
      createSlot(host, "a", listener(journal, "a")),
      createSlot(host, "b", {
        ...listener(journal, "b"),
        onRequest: (call) => call.deny(Status.PERMISSION_DENIED, "no", "rule-1"),
      }),
      createSlot(host, "c", listener(journal, "c")),
    ]);
    const call = createCall(chain);
    assert.equal(runRequest(call, 3), Passage.DENIED);
    const { status, message, policy, rule } = call.denial;
    assert.deepEqual([status, message, policy, rule], [7, "no", "b", "rule-1"]);
    runResponse(call, nobody);
    assert.deepEqual(journal, ["a request", "a response"]);
  });

  it("a policy may put a denial in the place of a reply", () => {
    const host = createHost();
    const seen: number[] = [];
    const chain = createChain([
      createSlot(host, "a", { onResponse: (call) => void seen.push(call.status) }),
      createSlot(host, "b", { onResponse: (call) => call.deny(Status.DATA_LOSS, "bad") }),
    ]);
    const call = createCall(chain);
    runRequest(call, 2);
    const source = call.source as { status: Status };
    const passage = runResponse(call, () => {
      source.status = call.denial.status;
    });
    assert.equal(passage, Passage.DENIED);
    assert.deepEqual(seen, [Status.DATA_LOSS]);
  });

  it("a held call goes on behind the policy that held it", () => {
    const journal: Journal = [];
    const host = createHost();
    const chain = createChain([
      createSlot(host, "a", { ...listener(journal, "a"), onRequest: (call) => call.hold() }),
      createSlot(host, "b", listener(journal, "b")),
    ]);
    let woken = 0;
    const call = createCall(chain, () => woken++);
    assert.equal(runRequest(call, 2), Passage.HELD);
    call.resume();
    call.resume();
    assert.equal(woken, 1, "once");
    assert.equal(runRequest(call, 2), Passage.PASSED);
    runResponse(call, nobody);
    assert.deepEqual(journal, ["b request", "b response", "a response"]);
  });

  it("a held call that ends is told to the policy that holds it", () => {
    const journal: Journal = [];
    const host = createHost();
    const slot = createSlot(host, "a", {
      ...listener(journal, "a"),
      onRequest: (call) => call.hold(),
    });
    const call = createCall(createChain([slot]), () => assert.fail("it has ended"));
    runRequest(call, 1);
    runResponse(call, nobody);
    assert.deepEqual(journal, ["a response"]);
    assert.equal(slot.held.size, 0);
    call.resume();
    call.deny(Status.ABORTED, "too late");
  });

  it("what a policy leaves at a call, it finds there, and no other policy does", () => {
    const host = createHost();
    const found: unknown[] = [];
    const keeper = (name: string): ReturnType<typeof createSlot> =>
      createSlot(host, name, {
        onRequest: (call) => {
          call.local = `left by ${name}`;
          return Verdict.PASS;
        },
        onResponse: (call) => void found.push(call.local),
      });
    const chain = createChain([keeper("a"), keeper("b")]);
    const call = createCall(chain);
    runRequest(call, 2);
    runResponse(call, nobody);
    assert.deepEqual(found, ["left by b", "left by a"]);
    call.begin(chain);
    assert.equal(call.locals.length, 0, "the next call finds nothing");
  });

  it("a malformed message is not the policy's fault", () => {
    const host = createHost();
    const chain = createChain([
      createSlot(host, "a", {
        onRequest: () => {
          throw malformedMessage;
        },
      }),
    ]);
    assert.equal(runRequest(createCall(chain), 1), Passage.MALFORMED);
    assert.deepEqual(host.failures, []);
  });

  it("policies that have nothing to do for a method are left out, until they are configured anew", () => {
    const journal: Journal = [];
    const host = createHost();
    let isWanted = true;
    const slot = createSlot(host, "a", {
      ...listener(journal, "a"),
      prepare: () => (isWanted ? "prepared" : false),
    });
    const other = createSlot(host, "b", listener(journal, "b"));
    const chain = createChain([slot, other]);
    const call = createCall(chain);
    isWanted = false;
    slot.reconfigure({});
    runRequest(call, 2);
    assert.deepEqual(journal, ["b request"]);
    assert.equal(createChain([slot, other]).steps.length, 1);
  });
});

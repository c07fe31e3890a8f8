import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import {
  createPolicyHarness,
  type HarnessStream,
  type PolicyHarness,
  Stall,
} from "@koala/testing-policy";
import { rateLimitPolicy } from "./policy.ts";

function harnessFor(config: object): PolicyHarness {
  return createPolicyHarness({ policy: rateLimitPolicy, config, service: Stall });
}

/** Sends so many messages; says how many passed. */
function send(stream: HarnessStream, times: number, fields: object = {}): number {
  let passed = 0;
  for (let i = 0; i < times; i++) if (stream.send(fields).outcome === "passed") passed++;
  return passed;
}

describe("rate-limit: streams", () => {
  it("are calls, and take a token when they begin", () => {
    const harness = harnessFor({ rate: 10, burst: 2 });
    const streams = ["Fill", "Watch", "Haggle"].map((method) => harness.stream(method));
    assert.deepEqual(
      streams.map(({ call }) => call.outcome),
      ["sent", "sent", "denied"],
    );
    assert.equal(send(streams[0]!, 50), 50);
  });

  it("take one for each message that their clients send, if messages are counted", () => {
    const harness = harnessFor({ rate: 10, burst: 5, count: "messages", mode: "queue" });
    const stream = harness.stream("Haggle");
    assert.equal(send(stream, 3), 3);
    for (let i = 0; i < 50; i++) assert.equal(stream.receive().outcome, "passed");
    harness.stream("Watch").end();
    assert.equal(send(stream, 1), 1);
    const last = stream.send();
    assert.equal(last.outcome, "denied");
    const { status, rule, message, trailers } = stream.call;
    assert.deepEqual([status, rule], [Status.RESOURCE_EXHAUSTED, "rate"]);
    assert.match(message, /^more than 10 messages a second/);
    assert.equal(trailers["retry-delay"], "100ms");
    assert.deepEqual([harness.counters["passed"], harness.counters["rejected"]], [5, 1]);
    harness.advance(500);
    assert.equal(send(harness.stream("Fill"), 9), 5, "the bucket has filled again");
  });

  it("may have a bucket for each value in a message, or in the headers", () => {
    const config = { rate: 1, burst: 2, count: "messages", by: "key" };
    const byQuery = harnessFor({ ...config, key: "request.customer.id" });
    const stream = byQuery.stream("Haggle");
    for (const id of ["a", "b", "c"]) assert.equal(send(stream, 2, { customer: { id } }), 2);
    assert.equal(send(stream, 1, { customer: { id: "a" } }), 0);
    const both = harnessFor({ ...config, key: "metadata['team'] + request.customer.id" });
    const teams = ["x", "y"].map((team) => both.stream("Haggle", { metadata: { team } }));
    for (const team of teams) assert.equal(send(team, 3, { customer: { id: "a" } }), 2);
    const byTeam = harnessFor({ ...config, key: "metadata['team']" });
    const same = [0, 1].map(() => byTeam.stream("Fill", { metadata: { team: "x" } }));
    assert.deepEqual(
      same.map((one) => send(one, 2)),
      [2, 0],
    );
  });

  it("a key for calls can't read the messages of a stream", () => {
    const config = { rate: 1, by: "key", key: "request.customer.id" };
    assert.throws(() => harnessFor(config), /key: .*the stream of shop.v1.BuyRequest/);
  });
});

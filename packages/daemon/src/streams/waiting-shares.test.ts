import assert from "node:assert/strict";
import { test } from "node:test";
import type { Party } from "../datapath/call.ts";
import type { Flow } from "./flow.ts";
import { WaitingShares } from "./waiting-shares.ts";

/** A flow, as far as shares look at one. */
function flowTo(receiver: object, change: object = {}): Flow {
  return { toCallee: true, hasStarted: true, receiver, sender: {}, ...change } as never;
}

const party = (): Party => ({}) as never;

test("who does not read leaves as much as it takes, with all its flows together", () => {
  const shares = new WaitingShares(1000);
  const slow = party();
  for (let i = 0; i < 5; i++) {
    const flow = flowTo(slow);
    assert.ok(shares.fits(flow, 100));
    shares.add(flow, 100);
  }
  assert.equal(shares.total, 500);
  assert.equal(shares.fits(flowTo(slow), 8), false);
  assert.ok(shares.fits(flowTo(party()), 500));
  assert.equal(shares.fits(flowTo(party()), 501), false);
});

test("what waited with a party is its share no more when it is gone", () => {
  const shares = new WaitingShares(1000);
  const slow = party();
  const flow = flowTo(slow);
  shares.add(flow, 500);
  shares.add(flow, -200);
  assert.ok(shares.fits(flow, 400));
  shares.add(flow, 8);
  // Its receiver may be another by now, or none.
  Object.assign(flow, { receiver: null });
  shares.drop(flow);
  shares.drop(flow);
  assert.equal(shares.total, 0);
  assert.ok(shares.fits(flowTo(slow), 1000));
});

test("without a receiver it is the sender's share", () => {
  const shares = new WaitingShares(1000);
  const sender = party();
  shares.add(flowTo(party(), { hasStarted: false, sender }), 500);
  assert.equal(shares.fits(flowTo(party(), { hasStarted: false, sender }), 8), false);
  assert.ok(shares.fits(flowTo(party(), { sender }), 500));
});

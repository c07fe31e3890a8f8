import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@koala/testing";
import { failure, Status, startEcho } from "./mesh-helper.test.ts";
import { RpcError } from "./rpc-error.ts";

test("an aborted call rejects at once and is cancelled at the daemon", async (t) => {
  const { client, daemon, seen } = await startEcho(t);
  const controller = new AbortController();
  const call = client.say({ text: "hang" }, { signal: controller.signal });
  await until("the handler runs", () => seen.calls === 1);
  controller.abort(new Error("enough"));
  const error = await failure(call);
  assert.equal(error.status, Status.CANCELLED);
  assert.equal(error.origin, "app");
  assert.equal((error.cause as Error).message, "enough");
  const clientApp = daemon.apps.find((app) => app.name === "client")!;
  await until("the daemon hears of it", () => clientApp.cancels.length === 1);
  assert.equal(clientApp.cancels[0]!.reason, Status.CANCELLED);

  // The fake does not forward cancellations: the handler goes on until it is told.
  const serverApp = daemon.apps.find((app) => app.name === "server")!;
  serverApp.cancelCall(7, Status.DEADLINE_EXCEEDED);
  await until("the handler is aborted", () => seen.aborted !== undefined);
  assert.ok(seen.aborted instanceof RpcError);
  assert.equal(seen.aborted.status, Status.DEADLINE_EXCEEDED);
  assert.equal((await client.say({ text: "on" })).text, "say on");
  assert.deepEqual(daemon.violations, []);
});

test("a signal that is aborted already, and one that times out", async (t) => {
  const { client, seen } = await startEcho(t);
  const early = await failure(client.say({}, { signal: AbortSignal.abort() }));
  assert.equal(early.status, Status.CANCELLED);
  assert.equal(seen.calls, 0);
  const late = await failure(client.say({ text: "hang" }, { signal: AbortSignal.timeout(5) }));
  assert.equal(late.status, Status.DEADLINE_EXCEEDED);
});

test("signals are left without listeners", async (t) => {
  const { client } = await startEcho(t);
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  for (let i = 0; i < 20; i++) await client.say({}, { signal });
  await failure(client.fail({ status: 5 }, { signal }));
  assert.equal(listeners, 0);
});

test("timeoutMs goes to the daemon, and is checked here", async (t) => {
  const { client, daemon } = await startEcho(t);
  await client.say({ text: "is bound now: nothing of the time is spent waiting" });
  let word = 0;
  daemon.onCall = (call) => {
    word = call.slot[3]!;
    call.app.reply(call.id, Status.DEADLINE_EXCEEDED, 1, "too late");
    return true;
  };
  const error = await failure(client.say({}, { timeoutMs: 12.5 }));
  assert.equal(word, 13);
  assert.equal(error.status, Status.DEADLINE_EXCEEDED);
  assert.equal(error.origin, "local-daemon");
  assert.equal(error.reason, "too late");
  assert.equal((await failure(client.say({}, { timeoutMs: 0 }))).status, Status.DEADLINE_EXCEEDED);
  const nan = await failure(client.say({}, { timeoutMs: Number.NaN }));
  assert.equal(nan.status, Status.INVALID_ARGUMENT);
});

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { until } from "@koala/testing";
import { RpcError } from "../errors/rpc-error.ts";
import type { FakeCall } from "../mesh/fake-daemon-helper.test.ts";
import { failure, Status, startEcho } from "../mesh/mesh-helper.test.ts";

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

test("a signal may be shared by many calls, pending and waiting", async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const { client, seen } = await startEcho(t, { callsMax: 32 });
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Array.from({ length: 50 }, () => failure(client.say({ text: "hang" }, { signal })));
  await until("the handlers run", () => seen.calls === 32);
  controller.abort();
  for (const call of calls) assert.equal((await call).status, Status.CANCELLED);
  // Warnings are emitted in a tick of their own.
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
  assert.deepEqual(getEventListeners(signal, "abort"), []);
});

test("a daemon that does not answer keeps no call beyond its deadline", async (t) => {
  const { client, daemon } = await startEcho(t);
  await client.say({ text: "is bound now" });
  const swallowed: FakeCall[] = [];
  daemon.onCall = (call) => swallowed.push(call) > 0;
  const abort = new AbortController();
  const patient = failure(client.say({ text: "no limit" }, { signal: abort.signal }));
  const startedAt = performance.now();
  const shared = { signal: abort.signal, timeoutMs: 20 };
  const errors = await Promise.all([
    failure(client.say({}, { timeoutMs: 20 })),
    failure(client.say({}, { timeoutMs: 60 })),
    failure(client.say({}, shared)),
  ]);
  assert.ok(performance.now() - startedAt >= 250, "the daemon is given time to answer");
  for (const error of errors) {
    assert.equal(error.status, Status.DEADLINE_EXCEEDED);
    assert.equal(error.origin, "app");
    assert.match(error.reason, /its deadline has passed, and the daemon does not answer/);
  }
  assert.equal(getEventListeners(abort.signal, "abort").length, 1, "that of the patient call");

  // What it says about them later finds their entries, and touches nobody else.
  daemon.onCall = () => false;
  const [first, ...others] = swallowed;
  for (const { app, id } of others) app.reply(id, Status.DEADLINE_EXCEEDED, 1, "too late");
  assert.equal((await client.say({ text: "on" }, { timeoutMs: 60_000 })).text, "say on");
  first!.app.reply(first!.id, Status.NOT_FOUND, 1, "patience pays");
  assert.equal((await patient).status, Status.NOT_FOUND);
  assert.deepEqual(daemon.violations, []);
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

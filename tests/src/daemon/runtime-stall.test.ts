/** Policies whose handlers do not return, and daemons that are stopped and go on. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { Client, RpcError } from "@koala/mrpc";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin } from "../stage/admin.ts";
import { runtimeOf } from "../stage/crash.ts";
import { connectTo } from "../stage/kitchen.ts";
import { type PolicyStage, startPolicyStage } from "../stage/policy-stage.ts";
import { rejection } from "../stage/rejection.ts";

const timeout = 120_000;

/** Never returns for a call with the text "loop". */
const loopingPolicy = `import { definePolicy, z } from "@koala/policy";

export default definePolicy({
  name: "looping",
  version: "1.0.0",
  config: z.strictObject({}),
  onRequest(call) {
    if (call.method.name === "Echo" && call.request?.text === "loop") for (;;);
  },
});
`;

interface Stage extends PolicyStage {
  /** A client on the other runtime than `kitchen` and the server. */
  readonly bystander: Client<typeof Kitchen>;
}

/** Calls of the app "test" are on runtime 0, those of "bystander" on runtime 1. */
async function start(test: TestContext, onFailure: "open" | "closed"): Promise<Stage> {
  const config = `
    [runtime]
    stall = "400ms"
    [[placement]]
    caller = "test"
    runtime = 0
    [[placement]]
    caller = "*"
    runtime = 1
    [[policy]]
    use = "looping"
    match = { side = "client" }
    on_failure = "${onFailure}"
  `;
  const files = { "looping.ts": loopingPolicy };
  const stage = await startPolicyStage(test, { config, files, runtimes: 2 });
  const mesh = await connectTo(test, stage.daemon, { name: "bystander" });
  return { ...stage, bystander: mesh.client(Kitchen, "kitchen") };
}

/** Makes the policy hang, and waits until the daemon has dealt with it. */
async function hang({ kitchen, daemon, bystander }: Stage): Promise<RpcError> {
  await kitchen.echo({ text: "fine" }, { waitForReady: true });
  await bystander.echo({ text: "fine" }, { waitForReady: true });
  const error = await rejection(kitchen.echo({ text: "loop" }));
  await until("runtime 0 runs again", async () => {
    const { restarts, state } = await runtimeOf(daemon, 0);
    return restarts === 1 && state === "running";
  });
  return error;
}

async function eventsOf({ daemon }: Stage): Promise<string[]> {
  const { events } = await askAdmin(daemon.prefix, "/v1/events");
  return events.map(({ topic, name }) => `${topic} ${name}`);
}

describe("a policy that does not return", { timeout }, () => {
  it("is taken out, and its runtime is made anew; calls pass when it fails open", async (test) => {
    const stage = await start(test, "open");
    const error = await hang(stage);
    assert.equal(`${error.statusName} ${error.origin}`, "UNAVAILABLE local-daemon");
    assert.match(error.message, /looping did not return/);
    const reply = await stage.kitchen.echo({ text: "loop" }, { waitForReady: true });
    assert.equal(reply.text, "loop");
    // Nor does it hang the other runtime.
    assert.equal((await stage.bystander.echo({ text: "loop" })).text, "loop");
    const other = await runtimeOf(stage.daemon, 1);
    assert.equal(other.restarts, 0);
    const names = await eventsOf(stage);
    for (const name of [
      "policy quarantined",
      "runtime stalled",
      "runtime failed",
      "runtime started",
    ])
      assert.ok(names.includes(name), `${name} among ${names.join(", ")}`);
  });

  it("is taken out, and calls end when it fails closed", async (test) => {
    const stage = await start(test, "closed");
    await hang(stage);
    await until("calls end for the policy", async () => {
      const { statusName, origin } = await rejection(stage.kitchen.echo({ text: "fine" }));
      return `${statusName} ${origin}` === "UNAVAILABLE policy";
    });
    const other = await rejection(stage.bystander.echo({ text: "fine" }));
    assert.equal(`${other.statusName} ${other.origin}`, "UNAVAILABLE policy");
  });
});

it("a daemon that is stopped and goes on has not hung", { timeout }, async (test) => {
  const stage = await start(test, "closed");
  await stage.kitchen.echo({ text: "fine" }, { waitForReady: true });
  const calls = Array.from({ length: 50 }, (_, i) => stage.kitchen.echo({ text: `${i}` }));
  for (let turn = 0; turn < 3; turn++) {
    stage.daemon.child.kill("SIGSTOP");
    // Longer than the limit: this is a time that must pass, not one that is hoped to be enough.
    await setTimeout(600);
    stage.daemon.child.kill("SIGCONT");
    await stage.kitchen.echo({ text: "again" });
  }
  await Promise.all(calls);
  const names = await eventsOf(stage);
  assert.deepEqual(
    names.filter((name) => name.startsWith("runtime ")),
    [],
  );
});

// The policies that ship, with real daemons: limits, faults and the access log.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import type { PolicySpec } from "@koala/protocol";
import { createTempDirectory, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin, postAdmin } from "../stage/admin.ts";
import { type Daemon, startDaemon } from "../stage/cluster.ts";
import { connectTo, describeKitchen, startKitchen, untilPrinted } from "../stage/kitchen.ts";
import { startPolicyStage } from "../stage/policy-stage.ts";
import { rejection } from "../stage/rejection.ts";

/** Attaches a policy for as long as `run` takes; `run` gets a function that reads its counters. */
async function withPolicy(
  daemon: Daemon,
  use: string,
  config: Record<string, unknown>,
  run: (counters: () => Promise<Record<string, number>>) => Promise<void>,
): Promise<void> {
  const match = { side: "client", method: "Echo" } as const;
  const policy: PolicySpec = { use, match, config };
  await postAdmin(daemon.prefix, "/v1/policies/attach", { policy });
  try {
    await run(async () => {
      const { policies } = await askAdmin(daemon.prefix, "/v1/policies");
      const found = policies.find(({ name }) => name === use);
      assert.ok(found !== undefined);
      assert.equal(found.failure ?? "", "");
      return found.counters;
    });
  } finally {
    await postAdmin(daemon.prefix, "/v1/policies/detach", { name: use });
  }
}

/** The lines of an access log. */
function linesOf(file: string): Record<string, unknown>[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describeKitchen("policies that ship", (stage) => {
  it("null does nothing, for all calls", async () => {
    const { kitchen, client } = stage();
    await withPolicy(client, "null", {}, async (counters) => {
      await Promise.all(Array.from({ length: 50 }, () => kitchen.echo({ text: "tea" })));
      assert.equal((await counters())["requests"], 50);
    });
  });

  it("rate-limit turns down what is too much, and says when there is room again", async () => {
    const { kitchen, client } = stage();
    const config = { rate: 0.01, burst: 3, by: "key", key: "request.text" };
    await withPolicy(client, "rate-limit", config, async (counters) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, () => kitchen.echo({ text: "tea" })),
      );
      const refused = outcomes.flatMap((outcome) =>
        outcome.status === "rejected" ? [outcome.reason as unknown] : [],
      );
      assert.equal(refused.length, 7);
      const [error] = refused;
      assert.ok(error instanceof RpcError);
      assert.equal(error.status, Status.RESOURCE_EXHAUSTED);
      assert.equal(error.origin, "policy");
      const trailers = Object.fromEntries(error.metadata);
      assert.equal(trailers["koala-rule"], "rate");
      assert.match(String(trailers["retry-delay"]), /^\d{5,6}ms$/);
      await kitchen.echo({ text: "coffee" });
      const { passed, rejected } = await counters();
      assert.deepEqual({ passed, rejected }, { passed: 4, rejected: 7 });
    });
  });

  it("rate-limit lets calls wait for their turn", async () => {
    const { kitchen, client } = stage();
    const config = { rate: 500, burst: 1, mode: "queue", queue: { wait: "30s" } };
    await withPolicy(client, "rate-limit", config, async (counters) => {
      await Promise.all(Array.from({ length: 40 }, () => kitchen.echo({ text: "tea" })));
      const { passed, queued } = await counters();
      assert.equal(passed, 40);
      assert.ok(queued! > 0);
    });
  });

  it("concurrency holds calls in flight to its limit, and lets the others wait", async () => {
    const { kitchen, client } = stage();
    const config = { limit: 2, queue: { length: 100, wait: "30s", target: "0ms" } };
    await withPolicy(client, "concurrency", config, async (counters) => {
      await Promise.all(Array.from({ length: 60 }, () => kitchen.echo({ text: "tea" })));
      const { passed, queued, in_flight: inFlight, held } = await counters();
      assert.equal(passed, 60);
      assert.ok(queued! > 0);
      assert.deepEqual({ inFlight, held }, { inFlight: 0, held: 0 });
    });
  });

  it("fault aborts calls, and delays them until their callers give up", async () => {
    const { kitchen, client } = stage();
    const abort = { status: "DATA_LOSS", message: "on purpose" };
    await withPolicy(client, "fault", { abort }, async () => {
      const error = await rejection(kitchen.echo({}));
      assert.equal(error.status, Status.DATA_LOSS);
      assert.match(error.message, /on purpose .*policy fault, rule abort/);
    });
    await withPolicy(client, "fault", { delay: { time: "10m" } }, async (counters) => {
      const error = await rejection(kitchen.echo({}, { timeoutMs: 30 }));
      assert.equal(error.status, Status.DEADLINE_EXCEEDED);
      await until("the policy has heard of it", async () => (await counters())["given_up"] === 1);
      assert.equal((await counters())["held"], 0);
    });
    await withPolicy(client, "fault", { delay: { time: "5ms" } }, async () => {
      assert.equal((await kitchen.echo({ text: "late" })).text, "late");
    });
  });

  it("a call that a policy holds goes on when the policy is detached", async () => {
    const { kitchen, client } = stage();
    let reply: Promise<{ text: string }> | undefined;
    await withPolicy(client, "fault", { delay: { time: "10m" } }, async (counters) => {
      reply = kitchen.echo({ text: "held" });
      await until("it is held", async () => (await counters())["held"] === 1);
    });
    assert.equal((await reply!).text, "held");
  });

  it("log writes a line for each call", async (test) => {
    const { kitchen, client } = stage();
    const file = join(createTempDirectory(test), "access.log");
    const lines = (): Record<string, unknown>[] => linesOf(file);
    const config = { file, fields: { said: "request.text", heard: "size(response.text)" } };
    await postAdmin(client.prefix, "/v1/policies/attach", {
      policy: { use: "log", match: { side: "client", method: "Echo" }, config },
    });
    await kitchen.echo({ text: "tea" });
    await until("the line is written", () => lines().length === 1);
    const [line] = lines();
    assert.equal(line!["said"], "tea");
    assert.equal(String(line!["heard"]), "3");
    assert.equal(line!["status"], "OK");
    assert.equal(line!["method"], "Echo");
    assert.ok(Number(line!["request_bytes"]) > 0);
    assert.ok(Number(line!["response_bytes"]) > 0);
    assert.ok(Number(line!["duration_ms"]) > 0);
    assert.equal(typeof line!["endpoint"], "string");
    for (let i = 0; i < 20; i++) await kitchen.echo({ text: `${i}` });
    await postAdmin(client.prefix, "/v1/policies/detach", { name: "log" });
    await until("all are written", () => lines().length === 21);
  });
});

it("log writes what it has when the daemon stops", async (test) => {
  const file = join(createTempDirectory(test), "access.log");
  const config = `[[policy]]\nuse = "log"\nconfig = { file = "${file}", flush = "1m" }\n`;
  const { daemon, kitchen } = await startPolicyStage(test, { config });
  for (let i = 0; i < 5; i++) await kitchen.echo({ text: "tea" });
  assert.equal(linesOf(file).length, 0);
  await daemon.stop();
  assert.equal(linesOf(file).length, 10, "each call passed both sides");
});

it("log writes the lines of calls that end after it was detached, and then lets the file go", async (test) => {
  const file = join(createTempDirectory(test), "access.log");
  const daemon = await startDaemon(test, { daemonKeys: "runtimes = 2" });
  const server = await startKitchen(test, daemon);
  const kitchen = (await connectTo(test, daemon)).client(Kitchen, "kitchen");
  const isOpen = (): boolean =>
    readdirSync(`/proc/${daemon.pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${daemon.pid}/fd/${fd}`) === file;
      } catch {
        return false; // closed meanwhile
      }
    });
  const policy: PolicySpec = {
    use: "log",
    match: { side: "client" },
    config: { file, flush: "1m" },
  };
  await postAdmin(daemon.prefix, "/v1/policies/attach", { policy });
  await kitchen.echo({});
  const calls = ["a", "b"].map((key) => kitchen.wait({ key }));
  for (const key of ["a", "b"]) await untilPrinted(server, new RegExp(`^began ${key}$`, "m"));
  await postAdmin(daemon.prefix, "/v1/policies/detach", { name: "log" });
  server.write("release a");
  await calls[0];
  await kitchen.echo({});
  assert.deepEqual(linesOf(file), [], "a batch is not full, and a call is still on its way");

  server.write("release b");
  await calls[1];
  await until("all calls that it saw have lines", () => linesOf(file).length === 3);
  assert.deepEqual(
    linesOf(file).map(({ method, status }) => `${method} ${status}`),
    ["Echo OK", "Wait OK", "Wait OK"],
  );
  await until("the file is closed", () => !isOpen());

  await postAdmin(daemon.prefix, "/v1/policies/attach", { policy });
  await kitchen.echo({});
  await postAdmin(daemon.prefix, "/v1/policies/detach", { name: "log" });
  await until(
    "without calls on their way all is written at once",
    () => linesOf(file).length === 4,
  );
  await until("the file is closed again", () => !isOpen());
});

it("limits and logs go on when the daemon's process is replaced under load", async (test) => {
  const file = join(createTempDirectory(test), "access.log");
  const queue = 'queue = { length = 1000, wait = "30s", target = "0ms" }';
  const config = `
    [[policy]]
    use = "concurrency"
    match = { side = "client" }
    config = { limit = 8, ${queue} }

    [[policy]]
    use = "rate-limit"
    match = { side = "client" }
    config = { rate = 2000, mode = "queue", queue = { length = 1000, wait = "30s" } }

    [[policy]]
    use = "log"
    match = { side = "client" }
    config = { file = "${file}" }
  `;
  const { daemon, kitchen, policies } = await startPolicyStage(test, { config });
  let done = 0;
  let isOver = false;
  test.after(() => {
    isOver = true;
  });
  const callers = Array.from({ length: 40 }, async () => {
    while (!isOver) {
      await kitchen.echo({ text: "tea" });
      done++;
    }
  });
  for (let round = 1; round <= 2; round++) {
    const before = done;
    await until("calls before an upgrade", () => done > before + 200);
    await daemon.upgrade();
  }
  const before = done;
  await until("calls after the last upgrade", () => done > before + 200);
  isOver = true;
  await Promise.all(callers);
  const [concurrency] = await policies();
  assert.equal(concurrency!.failure ?? "", "");
  assert.equal(concurrency!.counters["in_flight"], 0);
  await daemon.stop();
  assert.equal(linesOf(file).length, done, "each call has its line");
});

/** A daemon keeps the gateway that its configuration wants. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { GatewayStatus } from "@koala/protocol";
import { until } from "@koala/testing";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { atEnd, type Daemon, startDaemon } from "../stage/cluster.ts";
import { serveProbe } from "../stage/gateway.ts";
import { GrpcClient } from "../stage/grpc-client.ts";

const { echo, talk } = Probe.method;
const config = '[[ingress]]\nname = "front"\nlisten = "127.0.0.1:0"\n';

async function untilRunning(daemon: Daemon, but = 0): Promise<GatewayStatus> {
  let found: GatewayStatus | undefined;
  await until("the gateway runs", async () => {
    found = (await daemon.status()).gateway;
    return found?.state === "running" && found.pid !== but;
  });
  return found!;
}

/** Nobody need have waited for the end of a process whose parent has gone. */
function isThere(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !text.slice(text.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

describe("the gateway of a daemon", { timeout: 180_000 }, () => {
  it("runs while the daemon does, and is started again when it dies", async (t) => {
    const daemon = await startDaemon(t, { config });
    await serveProbe(t, daemon);
    const first = await untilRunning(daemon);
    assert.deepEqual(
      first.ingresses.map(({ name }) => name),
      ["front"],
    );
    const client = new GrpcClient(t, first.ingresses[0]!.address);
    assert.equal((await client.unary(echo, { text: "hello" })).reply?.text, "hello");
    process.kill(first.pid, "SIGKILL");
    const second = await untilRunning(daemon, first.pid);
    assert.equal(second.restarts, 1);
    assert.equal(second.lastFailure, "SIGKILL");
    const again = new GrpcClient(t, second.ingresses[0]!.address);
    assert.equal((await again.unary(echo, { text: "again" })).reply?.text, "again");
    await daemon.stop();
    assert.equal(isThere(second.pid), false);
  });

  it("stays, with its connections, when the daemon is replaced", async (t) => {
    const daemon = await startDaemon(t, { config });
    await serveProbe(t, daemon);
    const before = await untilRunning(daemon);
    const client = new GrpcClient(t, before.ingresses[0]!.address);
    const stream = client.bidi(talk);
    const heard: string[] = [];
    stream.on("data", ({ text }) => void heard.push(text));
    stream.write(create(NoteSchema, { text: "before" }));
    await until("an answer", () => heard.length === 1);
    await daemon.upgrade();
    const after = await untilRunning(daemon);
    assert.equal(after.pid, before.pid);
    stream.write(create(NoteSchema, { text: "after" }));
    await until("another answer", () => heard.length === 2);
    const ended = new Promise((resolve) => stream.once("end", resolve));
    stream.end();
    await ended;
    // The new daemon is not its parent, and sees its end all the same.
    process.kill(after.pid, "SIGKILL");
    const next = await untilRunning(daemon, after.pid);
    await daemon.stop();
    assert.equal(isThere(next.pid), false);
  });

  it("is found again by a daemon that was killed and started anew", async (t) => {
    const daemon = await startDaemon(t, { config });
    const before = await untilRunning(daemon);
    atEnd(t, () => isThere(before.pid) && process.kill(before.pid, "SIGKILL"));
    // Its output does not end with it: the gateway has it too.
    process.kill(daemon.pid, "SIGKILL");
    await until("the daemon is gone", () => !isThere(daemon.pid));
    const next = await startDaemon(t, { config, prefix: daemon.prefix });
    await serveProbe(t, next);
    const after = await untilRunning(next);
    assert.equal(after.pid, before.pid);
    const client = new GrpcClient(t, after.ingresses[0]!.address);
    await until("it is connected", async () => {
      return (await client.unary(echo, { text: "here" })).reply?.text === "here";
    });
    await next.stop();
    assert.equal(isThere(after.pid), false);
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Connection, Span } from "@koala/interface";
import { openMemory } from "@koala/shm";
import { LinkOutput } from "./link-output.ts";

/** What reached the socket: bytes as text, and the spans of each system call. */
interface Sent {
  readonly text: string;
  readonly spansOfCalls: readonly number[];
}

/** Takes `most` bytes a call. */
function recordingConnection(most: number): { connection: Connection; sent: () => Sent } {
  const pieces: Buffer[] = [];
  const spansOfCalls: number[] = [];
  let total = 0;
  const send = (spans: readonly Span[], count: number): number => {
    spansOfCalls.push(count);
    let left = most;
    for (const { buffer, offset, length } of spans.slice(0, count)) {
      const part = Math.min(left, length);
      pieces.push(Buffer.from(buffer.slice(offset, offset + part)));
      left -= part;
    }
    total += most - left;
    return most - left;
  };
  const connection: Connection = {
    fd: -1,
    remote: "nowhere",
    send,
    sentBytes: () => total,
    receive: () => 0,
    close: () => {},
  };
  return { connection, sent: () => ({ text: Buffer.concat(pieces).toString(), spansOfCalls }) };
}

/** Three frames: two of own bytes, and one that refers to 16 bytes elsewhere. */
function sendFrames(most: number): Sent {
  const output = new LinkOutput();
  const frame = (text: string): void => {
    const at = output.reserve(8, 1);
    output.memory.node.write(text, at, "latin1");
    output.commit(8);
  };
  const segment = openMemory(new ArrayBuffer(16));
  segment.node.write("0123456789abcdef");
  frame("frame-1.");
  frame("frame-2.");
  frame("frame-3.");
  output.reference(segment, 0, 16);
  const { connection, sent } = recordingConnection(most);
  assert.equal(output.flush(connection), 0);
  assert.equal(output.queuedBytes, 0);
  return sent();
}

const text = "frame-1.frame-2.frame-3.0123456789abcdef";
const [, , mode, most] = process.argv;

/** What a process that goes without some mechanisms sends. */
function sentWithout(mechanisms: string, mostBytes: number): Sent {
  const args = [fileURLToPath(import.meta.url), "send", String(mostBytes)];
  const env = { ...process.env, KOALA_WITHOUT: mechanisms };
  const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Sent;
}

if (mode === "send") {
  process.stdout.write(JSON.stringify(sendFrames(Number(most))));
} else {
  test("all frames that wait leave with one system call, from where they lie", () => {
    assert.deepEqual(sendFrames(1000), { text, spansOfCalls: [2] });
  });

  test("without bundling each frame has a system call of its own", () => {
    assert.deepEqual(sentWithout("bundling", 1000), { text, spansOfCalls: [1, 1, 2] });
  });

  test("without gathering what waits is copied into one piece", () => {
    assert.deepEqual(sentWithout("gathering", 1000), { text, spansOfCalls: [1] });
  });

  test("nothing is lost or doubled when the socket takes a part only", () => {
    for (const mechanisms of ["", "bundling", "gathering", "bundling,gathering"]) {
      assert.equal(sentWithout(mechanisms, 5).text, text, mechanisms);
    }
  });
}

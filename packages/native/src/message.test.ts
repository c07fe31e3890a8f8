import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  closeFd,
  doorbellClear,
  doorbellCreate,
  doorbellRing,
  EAGAIN,
  EINVAL,
  EMSGSIZE,
  EPIPE,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerWait,
  receiveMessage,
  regionCreate,
  regionMap,
  regionSeal,
  regionUnmap,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SHRINK,
  SOCKET_SEQPACKET,
  SOCKET_STREAM,
  sendMessage,
  socketAccept,
  unixConnect,
  unixListen,
  unixPair,
} from "./index.ts";

const bytes = 64 * 1024;
const hello = Buffer.from("hello");

function openFds(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Blocks until readable, at most ten seconds. */
function waitReadable(fd: number): void {
  const poller = pollerCreate();
  pollerAdd(poller, fd, 0, POLL_IN);
  const count = pollerWait(poller, new Int32Array(2), 1, 10_000_000);
  closeFd(poller);
  assert.equal(count, 1, "nothing within 10 s");
}

/** The other process of the test below: gets a region and a doorbell, tries what it may not. */
function runPeer(path: string): void {
  const control = unixConnect(path, SOCKET_SEQPACKET);
  waitReadable(control);
  const fds = new Int32Array(17);
  const length = receiveMessage(control, new Uint8Array(64), fds);
  const [count, region, bell] = fds as unknown as [number, number, number];
  assert.deepEqual([length, count], [hello.length, 2]);
  const view = new Uint8Array(regionMap(region, bytes, false));
  assert.equal(view[7], 42);
  assert.throws(() => regionMap(region, bytes, true), { code: "EPERM" });
  doorbellRing(bell);
  sendMessage(control, Buffer.from("seen"), null);
}

if (process.argv[2] === "peer") {
  runPeer(process.argv[3] as string);
} else {
  test("a region and a doorbell reach another process, read-only where sealed", async () => {
    const before = openFds();
    const folder = mkdtempSync(join(tmpdir(), "koala-message-"));
    const path = join(folder, "control");
    const listener = unixListen(path, SOCKET_SEQPACKET, 4, 0o600);
    const child = fork(fileURLToPath(import.meta.url), ["peer", path], { stdio: "inherit" });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const region = regionCreate("message-region", bytes);
    const buffer = regionMap(region, bytes, true);
    regionSeal(region, SEAL_SHRINK | SEAL_GROW | SEAL_FUTURE_WRITE);
    new Uint8Array(buffer)[7] = 42;
    const bell = doorbellCreate();
    waitReadable(listener);
    const control = socketAccept(listener);
    assert.equal(sendMessage(control, hello, [region, bell]), hello.length);
    waitReadable(bell);
    assert.equal(doorbellClear(bell), 1);
    waitReadable(control);
    const answer = new Uint8Array(16);
    assert.equal(receiveMessage(control, answer, new Int32Array(1)), 4);
    assert.equal(Buffer.from(answer.subarray(0, 4)).toString(), "seen");
    assert.equal(await ended, 0);
    assert.equal(receiveMessage(control, answer, new Int32Array(1)), 0, "the peer is gone");
    assert.equal(sendMessage(control, hello, null), -EPIPE);
    regionUnmap(buffer);
    for (const fd of [listener, control, region, bell]) closeFd(fd);
    rmSync(folder, { recursive: true });
    assert.equal(openFds(), before);
  });

  test("messages keep their borders, streams do not", () => {
    const [left, right] = unixPair(SOCKET_SEQPACKET);
    const target = new Uint8Array(64);
    const fds = new Int32Array(17);
    assert.equal(receiveMessage(right, target, fds), -EAGAIN);
    sendMessage(left, hello, null);
    sendMessage(left, hello, []);
    assert.equal(receiveMessage(right, target, fds), 5);
    assert.equal(receiveMessage(right, target, fds), 5);
    const [a, b] = unixPair(SOCKET_STREAM);
    sendMessage(a, hello, null);
    sendMessage(a, hello, null);
    assert.equal(receiveMessage(b, target, fds), 10);
    for (const fd of [left, right, a, b]) closeFd(fd);
  });

  test("what does not fit is dropped and leaves no descriptor open", () => {
    const [left, right] = unixPair(SOCKET_SEQPACKET);
    const bell = doorbellCreate();
    const before = openFds();
    sendMessage(left, hello, [bell, bell]);
    assert.equal(receiveMessage(right, new Uint8Array(4), new Int32Array(17)), -EMSGSIZE);
    sendMessage(left, hello, [bell, bell]);
    const fds = Int32Array.of(99, 99);
    assert.equal(receiveMessage(right, new Uint8Array(8), fds), -EMSGSIZE);
    assert.equal(fds[0], 0);
    sendMessage(left, hello, [bell]);
    assert.equal(receiveMessage(right, new Uint8Array(8), new Int32Array(1)), -EMSGSIZE);
    assert.equal(openFds(), before);
    assert.equal(receiveMessage(right, new Uint8Array(8), new Int32Array(0)), -EINVAL);
    assert.equal(receiveMessage(right, new Uint8Array(0), new Int32Array(1)), -EINVAL);
    for (const wrong of [new Array(17).fill(bell), [1.5], ["3"], "no array"]) {
      assert.throws(() => sendMessage(left, hello, wrong as number[]), {
        code: "ERR_NATIVE_ARGUMENT",
      });
    }
    for (const fd of [left, right, bell]) closeFd(fd);
  });

  test("descriptors that nobody receives are closed with the socket", () => {
    const before = openFds();
    const [left, right] = unixPair(SOCKET_SEQPACKET);
    const bell = doorbellCreate();
    for (let i = 0; i < 10; i++) sendMessage(left, hello, [bell]);
    for (const fd of [left, right, bell]) closeFd(fd);
    assert.equal(openFds(), before);
  });
}

import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { closeFd } from "./index.ts";

const indexUrl = new URL("./index.js", import.meta.url).href;

/** What a worker has left open, by its ledger, after it has run `body`. */
async function left(body: string): Promise<number[]> {
  const bits = new Int32Array(new SharedArrayBuffer(4096));
  const source = `
    const { workerData } = require("node:worker_threads");
    import(${JSON.stringify(indexUrl)}).then((native) => {
      native.descriptorLedger(workerData);
      ${body}
    });
  `;
  const worker = new Worker(source, { eval: true, workerData: bits });
  worker.on("error", () => {});
  await new Promise((resolve) => worker.on("exit", resolve));
  const found: number[] = [];
  for (let fd = 0; fd < bits.length * 32; fd++) {
    if ((bits[fd >> 5]! & (1 << (fd & 31))) !== 0) found.push(fd);
  }
  return found;
}

/** The kinds of open files, and closes them. */
function kindsOf(fds: readonly number[]): string[] {
  const kinds = fds.map((fd) =>
    readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, "N").replace(/ .*/, ""),
  );
  for (const fd of fds) closeFd(fd);
  return kinds.sort();
}

test("a thread's ledger names what it has opened and not closed, however it ended", async () => {
  const body = `
    native.regionCreate("ledger", 4096);
    native.closeFd(native.regionCreate("closed", 4096));
    const bell = native.doorbellCreate();
    native.doorbellPair();
    native.duplicateFd(bell);
    const poller = native.pollerCreate();
    const listener = native.tcpListen("127.0.0.1", 0, 4);
    const peer = native.tcpConnect("127.0.0.1", native.socketPort(listener));
    while (native.socketAccept(listener) < 0);
    const [a, b] = native.unixPair(native.SOCKET_SEQPACKET);
    native.sendMessage(a, new Uint8Array(1), [bell]);
    const fds = new Int32Array(4);
    native.receiveMessage(b, new Uint8Array(8), fds);
    native.closeFd(fds[1]);
    native.sendMessage(a, new Uint8Array(1), [poller]);
    native.receiveMessage(b, new Uint8Array(8), fds);
    throw new Error("expected");
  `;
  assert.deepEqual(kindsOf(await left(body)), [
    "/memfd:ledger",
    "anon_inode:[eventfd]",
    "anon_inode:[eventfd]",
    "anon_inode:[eventpoll]",
    "anon_inode:[eventpoll]",
    "pipe:[N]",
    "pipe:[N]",
    "socket:[N]",
    "socket:[N]",
    "socket:[N]",
    "socket:[N]",
    "socket:[N]",
  ]);
});

test("a descriptor beyond the ledger's end is not marked, and nothing else is either", async () => {
  const body = `
    native.descriptorLedger(new Int32Array(0));
    native.closeFd(native.doorbellCreate());
  `;
  assert.deepEqual(await left(body), []);
});

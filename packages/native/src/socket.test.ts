import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  closeFd,
  duplicateFd,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EINPROGRESS,
  EINVAL,
  END_OF_STREAM,
  ENOTSOCK,
  EPIPE,
  errnoName,
  POLL_IN,
  POLL_OUT,
  pollerAdd,
  pollerCreate,
  pollerWait,
  SOCKET_SEQPACKET,
  SOCKET_STREAM,
  SPANS_MAX,
  socketAccept,
  socketConnected,
  socketError,
  socketGather,
  socketName,
  socketPeer,
  socketPeerCredentials,
  socketPort,
  socketRead,
  socketReadv,
  socketScatter,
  socketShutdown,
  socketWrite,
  socketWritev,
  tcpConnect,
  tcpListen,
  tcpTune,
  unixConnect,
  unixListen,
  unixPair,
} from "./index.ts";

/** Blocks until the descriptor is in one of the states, at most ten seconds. */
function waitFor(fd: number, events: number): void {
  const poller = pollerCreate();
  pollerAdd(poller, fd, 0, events);
  const count = pollerWait(poller, new Int32Array(2), 1, 10_000_000);
  closeFd(poller);
  assert.equal(count, 1, "not ready within 10 s");
}

/** A connected pair over TCP. */
function tcpPair(host: string): { listener: number; client: number; server: number } {
  const listener = tcpListen(host, 0, 8);
  const client = tcpConnect(host, socketPort(listener));
  waitFor(client, POLL_OUT);
  assert.equal(socketConnected(client), 0);
  waitFor(listener, POLL_IN);
  const server = socketAccept(listener);
  assert.ok(server >= 0);
  return { listener, client, server };
}

test("TCP connects, says who is there, and carries bytes", () => {
  const { listener, client, server } = tcpPair("127.0.0.1");
  assert.equal(socketAccept(listener), -EAGAIN);
  assert.equal(socketPeer(client), `127.0.0.1:${socketPort(listener)}`);
  assert.equal(socketPeer(server), socketName(client));
  assert.equal(socketError(client), 0);
  tcpTune(client, {
    noDelay: true,
    sendBytes: 1 << 18,
    receiveBytes: 1 << 18,
    keepAliveSeconds: 10,
    userTimeoutMs: 5000,
    unsentBytesMax: 1 << 14,
  });
  tcpTune(server, {});
  tcpTune(server, { noDelay: false, keepAliveSeconds: 0 });
  const buffer = new ArrayBuffer(32);
  new Uint8Array(buffer).set([1, 2, 3, 4]);
  assert.equal(socketRead(server, buffer, 16, 16), -EAGAIN);
  assert.equal(socketWrite(client, buffer, 0, 4), 4);
  waitFor(server, POLL_IN);
  assert.equal(socketRead(server, buffer, 16, 16), 4);
  assert.deepEqual([...new Uint8Array(buffer, 16, 4)], [1, 2, 3, 4]);
  assert.equal(socketShutdown(client), 0);
  waitFor(server, POLL_IN);
  assert.equal(socketRead(server, buffer, 0, 16), END_OF_STREAM);
  assert.equal(socketWrite(client, buffer, 0, 1), -EPIPE);
  for (const fd of [listener, client, server]) closeFd(fd);
});

test("a refused connection says so", () => {
  const listener = tcpListen("127.0.0.1", 0, 8);
  const port = socketPort(listener);
  closeFd(listener);
  const client = tcpConnect("127.0.0.1", port);
  waitFor(client, POLL_OUT);
  assert.equal(socketConnected(client), -ECONNREFUSED);
  assert.equal(errnoName(-ECONNREFUSED), "ECONNREFUSED");
  assert.equal(errnoName(EINPROGRESS), "EINPROGRESS");
  closeFd(client);
});

test("addresses that are not numeric are refused with a reason", () => {
  const reason = { code: "EINVAL", message: /expected a numeric address and a port/ };
  assert.throws(() => tcpListen("localhost", 0, 8), reason);
  assert.throws(() => tcpConnect("127.0.0.1", 65536), reason);
  assert.throws(() => tcpConnect("x".repeat(5000), 1), { code: "ERR_NATIVE_ARGUMENT" });
  const listener = tcpListen("127.0.0.1", 0, 8);
  const port = socketPort(listener);
  assert.throws(() => tcpListen("127.0.0.1", port, 8), {
    code: "EADDRINUSE",
    message: `EADDRINUSE: address already in use, listen 127.0.0.1:${port}`,
  });
  closeFd(listener);
});

test("spans are gathered and scattered in order", () => {
  const [left, right] = unixPair(SOCKET_STREAM);
  const from = [new ArrayBuffer(8), new ArrayBuffer(8), new ArrayBuffer(8)];
  for (const [index, buffer] of from.entries()) new Uint8Array(buffer).fill(index + 1);
  assert.equal(socketWritev(left, from, Int32Array.of(0, 2, 8, 0, 5, 3), 3), 5);
  const to = [new ArrayBuffer(2), new ArrayBuffer(8)];
  assert.equal(socketReadv(right, to, Int32Array.of(1, 1, 2, 6), 2), 5);
  assert.deepEqual([...new Uint8Array(to[0] as ArrayBuffer)], [0, 1]);
  assert.deepEqual([...new Uint8Array(to[1] as ArrayBuffer)], [0, 0, 1, 3, 3, 3, 0, 0]);
  assert.equal(socketReadv(right, to, Int32Array.of(1, 1), 1), -EAGAIN);

  const same = from[0] as ArrayBuffer;
  const many = Array.from({ length: SPANS_MAX }, () => same);
  const spans = new Int32Array(2 * SPANS_MAX).map((_, index) => index % 2);
  assert.equal(socketWritev(left, many, spans, SPANS_MAX), SPANS_MAX);
  closeFd(left);
  assert.equal(socketReadv(right, [new ArrayBuffer(512)], Int32Array.of(0, 512), 1), SPANS_MAX);
  assert.equal(socketReadv(right, to, Int32Array.of(0, 2, 0, 8), 2), END_OF_STREAM);
  closeFd(right);
});

test("offsets and lengths outside the buffer are refused before any byte moves", () => {
  const [left, right] = unixPair(SOCKET_STREAM);
  const buffer = new ArrayBuffer(16);
  const outside: [number, number][] = [
    [0, 17],
    [16, 1],
    [-1, 1],
    [1, -1],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ];
  for (const [offset, length] of outside) {
    assert.equal(socketWrite(left, buffer, offset, length), -EINVAL);
    assert.equal(socketRead(left, buffer, offset, length), -EINVAL);
    const spans = Int32Array.of(0, 1, offset, length);
    assert.equal(socketWritev(left, [buffer, buffer], spans, 2), -EINVAL);
    assert.equal(socketReadv(left, [buffer, buffer], spans, 2), -EINVAL);
  }
  const one = Int32Array.of(0, 1);
  assert.equal(socketWritev(left, [buffer, buffer], one, 2), -EINVAL, "fewer spans than count");
  assert.equal(socketWritev(left, [buffer], one, -1), -EINVAL);
  assert.equal(socketWritev(left, [buffer], new Int32Array(600), SPANS_MAX + 1), -EINVAL);
  assert.throws(() => socketWritev(left, [], one, 1), { code: "ERR_NATIVE_ARGUMENT" });
  assert.throws(() => socketWritev(left, [new Uint8Array(8) as never], one, 1), {
    code: "ERR_NATIVE_ARGUMENT",
  });
  assert.throws(() => socketWrite(left, new Uint8Array(8) as never, 0, 1), {
    code: "ERR_NATIVE_ARGUMENT",
  });
  assert.equal(socketRead(right, buffer, 0, 16), -EAGAIN, "nothing was written");
  for (const fd of [left, right]) closeFd(fd);
});

test("spans of a table of buffers are gathered, scattered and checked alike", () => {
  const [left, right] = unixPair(SOCKET_STREAM);
  const from = [new ArrayBuffer(8), new ArrayBuffer(4)];
  for (const [index, buffer] of from.entries()) new Uint8Array(buffer).fill(index + 1);
  const spans = Int32Array.of(1, 0, 2, 0, 7, 1, 1, 3, 1, 0, 0, 0);
  assert.equal(socketGather(left, from, 2, spans, 4), 4);
  const to = new ArrayBuffer(8);
  assert.equal(socketScatter(right, [to], 1, Int32Array.of(0, 6, 2, 0, 0, 3), 2), 4);
  // Sent were 2, 2, 1, 2: the first two into bytes 6 and 7, the rest into bytes 0 and 1.
  assert.deepEqual([...new Uint8Array(to)], [1, 2, 0, 0, 0, 0, 2, 2]);
  const outside: number[][] = [
    [2, 0, 1],
    [-1, 0, 1],
    [0, 8, 1],
    [0, -1, 1],
    [0, 0, -1],
    [1, 2 ** 31 - 1, 2 ** 31 - 1],
  ];
  for (const span of outside) {
    assert.equal(socketGather(left, from, 2, Int32Array.from(span), 1), -EINVAL);
    assert.equal(socketScatter(left, from, 2, Int32Array.from(span), 1), -EINVAL);
  }
  assert.equal(socketGather(left, from, 1, Int32Array.of(1, 0, 1), 1), -EINVAL, "not in the table");
  assert.equal(socketGather(left, from, 2, Int32Array.of(0, 0), 1), -EINVAL, "half a span");
  assert.equal(socketGather(left, from, SPANS_MAX + 1, spans, 1), -EINVAL);
  assert.equal(socketGather(left, from, -1, spans, 0), -EINVAL);
  assert.throws(() => socketGather(left, from, 3, spans, 1), { code: "ERR_NATIVE_ARGUMENT" });
  assert.equal(socketScatter(right, [to], 1, Int32Array.of(0, 0, 8), 1), -EAGAIN);
  for (const fd of [left, right]) closeFd(fd);
});

test("a detached buffer has no room", () => {
  const [left, right] = unixPair(SOCKET_STREAM);
  const buffer = new ArrayBuffer(16);
  structuredClone(buffer, { transfer: [buffer] });
  assert.equal(socketWrite(left, buffer, 0, 1), -EINVAL);
  assert.equal(socketWritev(left, [buffer], Int32Array.of(0, 1), 1), -EINVAL);
  for (const fd of [left, right]) closeFd(fd);
});

test("descriptors that are none, or no socket, are refused", () => {
  const buffer = new ArrayBuffer(16);
  const poller = pollerCreate();
  assert.equal(socketWrite(-1, buffer, 0, 1), -EBADF);
  assert.equal(socketRead(poller, buffer, 0, 1), -ENOTSOCK);
  assert.equal(socketAccept(poller), -ENOTSOCK);
  assert.equal(socketConnected(-1), -EBADF);
  assert.throws(() => socketPeer(-1), { code: "EBADF", syscall: "getpeername" });
  assert.throws(() => closeFd(-1), { code: "EBADF", syscall: "close" });
  for (const wrong of [undefined, null, "3", Number.NaN, 1.5, 2 ** 31, {}]) {
    assert.throws(() => closeFd(wrong as number), { code: "ERR_NATIVE_ARGUMENT" });
    assert.throws(() => socketAccept(wrong as number), { code: "ERR_NATIVE_ARGUMENT" });
  }
  const second = duplicateFd(poller);
  closeFd(second);
  closeFd(poller);
});

test("Unix sockets have exact permissions and know their peer", () => {
  const folder = mkdtempSync(join(tmpdir(), "koala-native-"));
  for (const type of [SOCKET_SEQPACKET, SOCKET_STREAM]) {
    const path = join(folder, `socket-${type}`);
    assert.throws(() => unixConnect(path, type), { code: "ENOENT", message: new RegExp(path) });
    const listener = unixListen(path, type, 8, 0o660);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.throws(() => unixListen(path, type, 8, 0o600), { code: "EADDRINUSE" });
    const client = unixConnect(path, type);
    const server = socketAccept(listener);
    const { pid, uid, gid } = socketPeerCredentials(server);
    assert.deepEqual([pid, uid, gid], [process.pid, process.getuid?.(), process.getgid?.()]);
    assert.equal(socketPeer(client), `unix:${path}`);
    assert.throws(() => socketPort(client), { code: "EAFNOSUPPORT" });
    for (const fd of [listener, client, server]) closeFd(fd);
  }
  const long = join(folder, "x".repeat(107 - folder.length));
  assert.throws(() => unixListen(long, SOCKET_STREAM, 8, 0o600), {
    code: "ENAMETOOLONG",
    message: /a socket path can have 107 bytes/,
  });
  rmSync(folder, { recursive: true });
});

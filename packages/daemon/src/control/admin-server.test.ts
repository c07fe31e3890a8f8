import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { KoalaError } from "@koala/interface";
import { closeFd, SOCKET_STREAM, unixListen } from "@koala/native";
import { z } from "zod";
import { AreaLog, Level, type LogRecord } from "../log/index.ts";
import { bodyBytesMax } from "./admin-body.ts";
import { AdminRegistry, type AdminRequest } from "./admin-registry.ts";
import { createReport } from "./admin-report-helper.test.ts";
import { type AdminServerOptions, startAdminServer } from "./admin-server.ts";
import { type AdminBackend, addStatusRoutes } from "./admin-status-routes.ts";

interface Subject {
  path: string;
  records: LogRecord[];
  close: () => Promise<void>;
}

/** The routes of a daemon that says what `backend` says. */
function registryOf(backend: AdminBackend): AdminRegistry {
  const registry = new AdminRegistry();
  addStatusRoutes(registry, backend);
  return registry;
}

function start(test: TestContext, options: Partial<AdminServerOptions> = {}): Subject {
  const folder = mkdtempSync(join(tmpdir(), "koala-"));
  const path = options.path ?? join(folder, "admin.sock");
  const records: LogRecord[] = [];
  const log = new AreaLog("admin", Level.debug, (record) => records.push(record));
  const registry = registryOf({ status: async () => createReport() });
  const server = startAdminServer({ registry, log, ...options, path });
  test.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { path, records, close: () => server.close() };
}

interface Answer {
  status: number;
  body: { code?: string; message?: string };
}

function ask(
  path: string,
  target: string,
  method = "GET",
  text = "",
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: target, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          body: JSON.parse(String(Buffer.concat(chunks))),
        }),
      );
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(text);
  });
}

/** A connection that sends what it is given; `ended` is all that came back. */
function raw(path: string, text: string): { socket: Socket; ended: Promise<string> } {
  const socket = connect(path);
  if (text !== "") socket.write(text);
  const ended = new Promise<string>((resolve) => {
    let received = "";
    socket.on("data", (chunk) => {
      received += String(chunk);
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => resolve(received));
  });
  return { socket, ended };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, "not in time");
    await new Promise(setImmediate);
  }
}

const connected = (socket: Socket) =>
  new Promise<void>((resolve) => socket.once("connect", () => resolve()));

describe("startAdminServer", { timeout: 30_000 }, () => {
  it("answers over its socket, which only its user may open", async (test) => {
    const { path } = start(test);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const { status, body } = await ask(path, "/v1/status");
    assert.equal(status, 200);
    assert.equal((body as { name?: string }).name, "host-a");
    assert.equal((await ask(path, "/v1/nothing")).status, 404);
    assert.equal((await ask(path, "/v1/apps", "POST")).status, 405);
  });

  it("serves one request a connection", async (test) => {
    const { path } = start(test);
    const line = "GET /v1/apps HTTP/1.1\r\nhost: x\r\n\r\n";
    const text = await raw(path, line.repeat(50)).ended;
    assert.match(text, /^HTTP\/1.1 200 /);
    assert.match(text, /connection: close/i);
    assert.equal(text.split('{"apps":').length, 2);
  });

  it("asks the backend once for those who ask at the same time", async (test) => {
    let asked = 0;
    let go = (): void => {};
    const ready = new Promise<void>((resolve) => {
      go = resolve;
    });
    const status = async () => {
      asked++;
      await ready;
      return createReport();
    };
    const { path } = start(test, { registry: registryOf({ status }) });
    const answers = Array.from({ length: 20 }, () => ask(path, "/v1/links"));
    await until(() => asked > 0);
    go();
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
    assert.ok(asked < 20, `${asked} times`);
    const before = asked;
    await ask(path, "/v1/links");
    assert.equal(asked, before + 1);
  });

  it("tells users who may not ask so, and logs it", async (test) => {
    const { path, records } = start(test, { allowedUids: [54321] });
    assert.equal(statSync(path).mode & 0o777, 0o660);
    const uid = process.geteuid!();
    for (let i = 0; i < 3; i++) {
      const { status, body } = await ask(path, "/v1/status");
      assert.equal(status, 403);
      assert.equal(body.code, "ERR_ADMIN_USER");
      assert.match(body.message!, new RegExp(`user ${uid} .*answers to the users 54321`));
    }
    const lines = records.filter((record) => record.level === "warn");
    assert.equal(lines.length, 1, "at most a line a second");
    assert.deepEqual(lines[0]!.fields, { uid, pid: process.pid, reason: "not an allowed user" });
  });

  it("knows another user by the kernel's word", async (test) => {
    if (process.geteuid!() !== 0) return test.skip("only root can become another user");
    const folder = mkdtempSync(join(tmpdir(), "koala-"));
    test.after(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o755);
    const path = join(folder, "admin.sock");
    const { records } = start(test, { path, allowedUids: [0, 54321] });
    assert.equal(await statusFor(54320, path), "403");
    assert.equal(records.find((record) => record.level === "warn")?.fields["uid"], 54320);
  });

  it("cuts connections that do not come to an end", async (test) => {
    const { path } = start(test, { connectionMs: 200 });
    const slow = ["", "GET /v1/st", "GET /v1/status HTTP/1.1\r\nhost: x\r\nx-long: "];
    const texts = await Promise.all(slow.map((text) => raw(path, text).ended));
    assert.deepEqual(texts, ["", "", ""]);
    assert.equal((await ask(path, "/v1/status")).status, 200);
  });

  it("cuts clients that do not read their answer", async (test) => {
    const report = createReport();
    report.name = "x".repeat(512 * 1024); // more than the buffers of a socket hold
    const registry = registryOf({ status: async () => report });
    // Long enough for all of them to be there before the first is cut, on a busy machine, too.
    const { path } = start(test, { connectionMs: 3000, registry });
    const idle = Array.from({ length: 64 }, () => {
      const socket = connect(path);
      test.after(() => socket.destroy());
      socket.pause();
      socket.on("error", () => {}); // the server hangs up
      socket.write("GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n");
      return socket;
    });
    await Promise.all(idle.map(connected));
    await until(async () => (await ask(path, "/v1/status")).status === 503);
    await until(async () => (await ask(path, "/v1/status")).status === 200);
  });

  it("takes bodies up to a limit, and tells those who send more", async (test) => {
    const registry = new AdminRegistry();
    const body = z.strictObject({ text: z.string() });
    const handle = ({ body: { text }, peer }: AdminRequest<{ text: string }>) => ({
      length: text.length,
      pid: peer.pid,
    });
    registry.add({ method: "POST", path: "/v1/x", body, handle });
    const { path } = start(test, { registry });
    const fits = JSON.stringify({ text: "x".repeat(bodyBytesMax - 20) });
    const taken = await ask(path, "/v1/x", "POST", fits);
    assert.deepEqual(taken, { status: 200, body: { length: bodyBytesMax - 20, pid: process.pid } });
    const large = JSON.stringify({ text: "x".repeat(bodyBytesMax + 100_000) });
    const announced = await ask(path, "/v1/x", "POST", large);
    assert.equal(`${announced.status} ${announced.body.code}`, "413 ERR_ADMIN_BODY");
    const chunked = await ask(path, "/v1/x", "POST", large, { "transfer-encoding": "chunked" });
    assert.equal(`${chunked.status} ${chunked.body.code}`, "413 ERR_ADMIN_BODY");
  });

  it("refuses bodies, large headers and what is not HTTP", async (test) => {
    const { path } = start(test);
    const get = "GET /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";
    assert.match(await raw(path, get).ended, /^HTTP\/1.1 400 .*ERR_ADMIN_BODY/s);
    const header = `GET /v1/status HTTP/1.1\r\nhost: x\r\nx-large: ${"y".repeat(20_000)}\r\n\r\n`;
    assert.match(await raw(path, header).ended, /^HTTP\/1.1 431 /);
    assert.match(await raw(path, "\0\x01\x02 what\r\n\r\n").ended, /^HTTP\/1.1 400 /);
    assert.equal((await ask(path, "/v1/status")).status, 200);
  });

  it("has a limit of connections, and says so", async (test) => {
    const { path, records } = start(test);
    const idle = Array.from({ length: 64 }, () => raw(path, ""));
    await Promise.all(idle.map(({ socket }) => connected(socket)));
    const { status, body } = await ask(path, "/v1/status");
    assert.equal(`${status} ${body.code}`, "503 ERR_ADMIN_BUSY");
    assert.equal(records.filter((record) => record.level === "warn").length, 1);
    for (const { socket } of idle) socket.destroy();
    await Promise.all(idle.map(({ ended }) => ended));
    await until(async () => (await ask(path, "/v1/status")).status === 200);
  });

  it("closes with connections open, and removes its socket", async (test) => {
    const { path, close } = start(test);
    const idle = raw(path, "");
    await connected(idle.socket);
    await close();
    assert.equal(await idle.ended, "");
    assert.equal(existsSync(path), false);
    await close();
  });

  it("replaces the socket of a daemon that was killed, and no other", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "koala-"));
    test.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "admin.sock");
    closeFd(unixListen(path, SOCKET_STREAM, 1, 0o600));
    start(test, { path });
    assert.equal((await ask(path, "/v1/status")).status, 200);
    const isSocketError = (error: unknown) =>
      error instanceof KoalaError &&
      error.code === "ERR_ADMIN_SOCKET" &&
      error.message.includes("another koalad serves it");
    assert.throws(() => start(test, { path }), isSocketError);
    assert.throws(
      () => start(test, { path: join(folder, "none", "admin.sock") }),
      /ERR|can't listen at .*none/,
    );
    assert.equal((await ask(path, "/v1/status")).status, 200);
  });
});

/** The status that a process of another user in the daemon's group gets. */
async function statusFor(uid: number, path: string): Promise<string> {
  const program = `require("node:http").get({ socketPath: ${JSON.stringify(path)}, path: "/v1/status" },
    (response) => { response.resume(); console.log(response.statusCode); })`;
  const child = spawn(process.execPath, ["-e", program], { uid, gid: process.getgid!() });
  let text = "";
  for await (const chunk of child.stdout) text += String(chunk);
  return text.trim();
}

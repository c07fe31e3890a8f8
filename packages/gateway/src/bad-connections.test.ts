/** Connections of those who mean harm, or have lost their way, end; nobody else notices, and nothing stays. */
import assert from "node:assert/strict";
import { constants } from "node:http2";
import { describe, it, type TestContext } from "node:test";
import { Status } from "@koala/interface";
import { until } from "@koala/testing";
import {
  callHeaders,
  type Edge,
  frame,
  headerBlock,
  openSession,
  outcomeOf,
  preface,
  RawClient,
  request,
  startEdge,
} from "./edge-helper.test.ts";
import { enveloped } from "./ingress/envelope-reader.ts";

const echo = "/probe.v1.Probe/Echo";
const note = enveloped(0, Buffer.from([10, 2, 0x68, 0x69]));
const hold = enveloped(0, Buffer.from([10, 4, 0x68, 0x6f, 0x6c, 0x64]));
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
const ACK = 1;
const END_HEADERS = 4;
const END_STREAM = 1;
const cancel = Buffer.from([0, 0, 0, 8]);

/** Every call that has begun has ended. */
function isSettled({ ingress }: Edge): boolean {
  const { started, succeeded, failed } = ingress.calls;
  return started === succeeded + failed;
}

async function untilQuiet({ ingress }: Edge): Promise<void> {
  await until("nothing is open", () => {
    const { connections, streams } = ingress.door.counts;
    return connections === 0 && streams === 0;
  });
}

async function assertServes(t: TestContext, { port }: Edge): Promise<void> {
  const session = openSession(t, port);
  assert.deepEqual(outcomeOf(await request(session, echo, note))[0], Status.OK);
  session.destroy();
}

describe("connections", { timeout: 120_000 }, () => {
  it("that say nothing, or little, are closed", async (t) => {
    const edge = await startEdge(t, { headerMs: 150, idleMs: 150 });
    const raw = (): RawClient => new RawClient(t, edge.port);
    const silent = raw();
    const slowPreface = raw();
    await slowPreface.send("PR");
    const slowHeaders = raw();
    await slowHeaders.send("POST / HTTP/1.1\r\nhost: a\r\nx-slow: ");
    const onlyPreface = raw();
    await onlyPreface.send(preface, frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    const halfHeaders = raw();
    const block = headerBlock(callHeaders);
    await halfHeaders.send(preface, frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    await halfHeaders.send(frame(HEADERS, 0, 1, block.subarray(0, 20)));
    for (const client of [silent, slowPreface, slowHeaders, onlyPreface, halfHeaders]) {
      await until("it is closed", () => client.isClosed);
    }
    await untilQuiet(edge);
    await assertServes(t, edge);
  });

  it("that have open calls and are lost are found, and end with them", async (t) => {
    const edge = await startEdge(t, { headerMs: 200, idleMs: 200 });
    const lost = new RawClient(t, edge.port);
    const block = headerBlock({ ...callHeaders, ":path": echo });
    await lost.send(
      preface,
      frame(SETTINGS, 0, 0, Buffer.alloc(0)),
      frame(HEADERS, END_HEADERS, 1, block),
      frame(DATA, END_STREAM, 1, hold),
    );
    await until("the call has begun", () => edge.ingress.door.counts.streams === 1);
    // nghttp2 gives the session up for this, and neither reads nor says so any more.
    await lost.send(frame(SETTINGS, 0, 0, Buffer.alloc(5)));
    await untilQuiet(edge);
    await until("the call has ended", () => isSettled(edge));
    await assertServes(t, edge);
  });

  it("that speak no HTTP are closed with a word", async (t) => {
    const edge = await startEdge(t, { headerMs: 300 });
    const garbage = new RawClient(t, edge.port);
    await garbage.send(Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 0xff, 0xfe]), "\r\n\r\n");
    await until("it is closed", () => garbage.isClosed);
    assert.match(garbage.received.toString("latin1"), /^HTTP\/1\.1 400/);

    const frames = new RawClient(t, edge.port);
    await frames.send(preface, Buffer.alloc(200, 0xee));
    await until("it is closed", () => frames.isClosed);
    assert.ok(frames.frames().some(({ type }) => type === GOAWAY));

    const lost = new RawClient(t, edge.port);
    await lost.send(preface, frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    await lost.send(frame(DATA, 0, 7, Buffer.from("data of a stream that is none")));
    await until("it is closed", () => lost.isClosed);
    await untilQuiet(edge);
    await assertServes(t, edge);
  });

  it("that send too many headers hear of it", async (t) => {
    const edge = await startEdge(t, { headerBytes: 4096 });
    const old = new RawClient(t, edge.port);
    await old.send(`POST / HTTP/1.1\r\nhost: a\r\nx-long: ${"x".repeat(8000)}\r\n\r\n`);
    await until("it is closed", () => old.isClosed);
    assert.match(old.received.toString("latin1"), /^HTTP\/1\.1 431/);

    const raw = new RawClient(t, edge.port);
    const long = headerBlock({ ...callHeaders, "x-long": "x".repeat(8000) });
    await raw.send(preface, frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    await until("it is known", () => raw.frames().some(({ type }) => type === SETTINGS));
    await raw.send(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    await raw.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, long));
    await until(
      "it hears of it",
      () =>
        raw.isClosed ||
        raw.frames().some(({ type, stream }) => type === RST_STREAM && stream === 1),
    );
    const reset = raw.frames().find(({ type }) => type === RST_STREAM);
    if (reset !== undefined) {
      assert.equal(reset.payload.readUInt32BE(0), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
    raw.socket.destroy();
    await untilQuiet(edge);
    await assertServes(t, edge);
  });

  it("are bounded in number, and so are their streams", async (t) => {
    const edge = await startEdge(t, { connections: 2, streams: 3 });
    const session = openSession(t, edge.port);
    await until("the settings are known", () => session.remoteSettings.maxConcurrentStreams === 3);
    const held = Array.from({ length: 3 }, () => request(session, echo, hold));
    await until("they are open", () => edge.ingress.door.counts.streams === 3);
    const raw = new RawClient(t, edge.port);
    await raw.send(preface, frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    await until("it is known", () => raw.frames().some(({ type }) => type === SETTINGS));
    const block = headerBlock(callHeaders);
    for (let stream = 1; stream <= 7; stream += 2) {
      await raw.send(frame(HEADERS, END_HEADERS, stream, block));
    }
    await until("one is refused", () => {
      const reset = raw.frames().find(({ type }) => type === RST_STREAM);
      return reset?.payload.readUInt32BE(0) === constants.NGHTTP2_REFUSED_STREAM || raw.isClosed;
    });
    const third = new RawClient(t, edge.port);
    await until("a third connection is closed", () => third.isClosed);
    assert.equal(edge.ingress.door.counts.refusedTotal, 1);
    raw.socket.destroy();
    session.destroy();
    await Promise.all(held);
    await untilQuiet(edge);
    await assertServes(t, edge);
  });

  it("that open and reset streams without end are closed", async (t) => {
    const edge = await startEdge(t);
    const raw = new RawClient(t, edge.port);
    await raw.send(preface, frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    const block = headerBlock(callHeaders);
    for (let stream = 1; stream < 8000 && !raw.isClosed; ) {
      const burst: Buffer[] = [];
      for (let i = 0; i < 20; i++, stream += 2) {
        burst.push(frame(HEADERS, END_HEADERS, stream, block));
        burst.push(frame(RST_STREAM, 0, stream, cancel));
      }
      await raw.send(Buffer.concat(burst));
    }
    await until("it is closed", () => raw.isClosed);
    await untilQuiet(edge);
    await assertServes(t, edge);
    await until("all calls have ended", () => isSettled(edge));
  });

  it("that come and go in the middle of everything leave nothing behind", async (t) => {
    const edge = await startEdge(t);
    const block = headerBlock(callHeaders);
    const script = Buffer.concat([
      Buffer.from(preface),
      frame(SETTINGS, 0, 0, Buffer.alloc(0)),
      frame(HEADERS, END_HEADERS, 1, block),
      frame(DATA, END_STREAM, 1, hold),
      frame(HEADERS, END_HEADERS, 3, block),
      frame(DATA, 0, 3, note.subarray(0, 6)),
    ]);
    for (let cut = 1; cut <= script.length; cut += 5) {
      const raw = new RawClient(t, edge.port);
      await raw.send(script.subarray(0, cut));
      if (cut % 2 === 0) await until("it is heard", () => raw.socket.bytesWritten >= cut);
      raw.socket.destroy();
    }
    await untilQuiet(edge);
    await until("all calls have ended", () => isSettled(edge));
    await assertServes(t, edge);
  });
});

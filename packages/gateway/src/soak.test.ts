/** Calls of every sort, one after the other for a while: nothing of them stays. */
import assert from "node:assert/strict";
import { type ClientHttp2Session, constants } from "node:http2";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { until } from "@koala/testing";
import { openSession, request, startEdge } from "./edge-helper.test.ts";
import { enveloped } from "./ingress/envelope-reader.ts";

const echo = "/probe.v1.Probe/Echo";
const talk = "/probe.v1.Probe/Talk";
const note = enveloped(0, Buffer.from([10, 2, 0x68, 0x69]));
const hold = enveloped(0, Buffer.from([10, 4, 0x68, 0x6f, 0x6c, 0x64]));
const roundCalls = 200;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Good ones, wrong ones, half ones, and some that are given up. */
async function round(session: ClientHttp2Session): Promise<void> {
  for (let i = 0; i < roundCalls; i++) {
    const givenUp = session.request({
      ...{ ":method": "POST", ":path": i % 2 === 0 ? echo : talk },
      "content-type": "application/grpc",
    });
    givenUp.on("error", () => {});
    givenUp.write(i % 2 === 0 ? hold : note);
    await Promise.all([
      request(session, echo, note),
      request(session, talk, Buffer.concat([note, note, note])),
      request(session, echo, note.subarray(0, 6)),
      request(session, "/no.such.Service/Method", note),
      request(session, echo, enveloped(1, note)),
    ]);
    givenUp.close(constants.NGHTTP2_CANCEL);
  }
}

test("calls leave no memory behind", { timeout: 120_000 }, async (t) => {
  const { ingress, port } = await startEdge(t);
  const heapAfter = async (): Promise<number> => {
    // A connection of its own: what is given up counts against it.
    const session = openSession(t, port);
    await round(session);
    session.destroy();
    await until("nothing is open", () => {
      const { streams, connections } = ingress.door.counts;
      const { started, succeeded, failed } = ingress.calls;
      return streams === 0 && connections === 0 && started === succeeded + failed;
    });
    collect();
    return process.memoryUsage().heapUsed;
  };
  await heapAfter();
  const before = await heapAfter();
  await heapAfter();
  const grown = (await heapAfter()) - before;
  // 2400 calls: even a kilobyte of each would be more.
  assert.ok(grown < 1_500_000, `${grown} bytes of heap more after ${12 * roundCalls} calls`);
});

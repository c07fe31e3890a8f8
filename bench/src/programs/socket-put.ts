/** Large messages one way over a bare socket, each acknowledged with a word. */
import { KoalaError } from "@koala/interface";
import {
  EAGAIN,
  POLL_EDGE,
  POLL_IN,
  POLL_OUT,
  pollerAdd,
  pollerCreate,
  pollerWait,
  socketRead,
  socketWrite,
} from "@koala/native";
import type { SocketRound } from "./socket-echo.ts";

const acknowledgementBytes = 4;
const acknowledgementsMax = 1024;

/** Every message in flight has memory of its own, as messages of an app have. */
export function createSocketPut(socket: number): SocketRound {
  const poller = pollerCreate();
  const events = new Int32Array(2);
  const replies = new ArrayBuffer(acknowledgementBytes * acknowledgementsMax);
  pollerAdd(poller, socket, 0, POLL_IN | POLL_OUT | POLL_EDGE);
  let messages = new ArrayBuffer(0);

  return ({ bytes, inFlight, seconds }, samples) => {
    const messageBytes = 4 + bytes;
    if (messages.byteLength !== messageBytes * inFlight) {
      messages = new ArrayBuffer(messageBytes * inFlight);
      new Uint8Array(messages).fill(0x5a);
    }
    const startedAt = new Float64Array(inFlight);
    const start = performance.now();
    let elapsed = 0;
    let calls = 0;
    let sentBytes = 0;
    let replyBytes = 0;
    let acknowledged = 0;
    /** Bytes that may be sent by now: one message for each that is acknowledged, until the time is over. */
    let allowedBytes = messages.byteLength;
    startedAt.fill(start);

    while (elapsed === 0 || acknowledged * messageBytes < allowedBytes) {
      const sent = sendMore();
      const got = readReplies();
      if (sent === 0 && got === 0) pollerWait(poller, events, 1, -1);
    }
    return { calls, seconds: elapsed / 1000 };

    function sendMore(): number {
      const at = sentBytes % messages.byteLength;
      const count = Math.min(allowedBytes - sentBytes, messages.byteLength - at);
      if (count === 0) return 0;
      const sent = socketWrite(socket, messages, at, count);
      if (sent === -EAGAIN) return 0;
      sentBytes += checked(sent);
      return sent;
    }

    function readReplies(): number {
      const got = socketRead(socket, replies, 0, replies.byteLength);
      if (got === -EAGAIN) return 0;
      replyBytes += checked(got);
      const now = performance.now();
      const complete = Math.floor(replyBytes / acknowledgementBytes);
      for (; acknowledged < complete; acknowledged++) {
        const lane = acknowledged % inFlight;
        samples.add((now - startedAt[lane]!) * 1000);
        startedAt[lane] = now;
        if (elapsed === 0) {
          calls++;
          allowedBytes += messageBytes;
        }
      }
      if (elapsed === 0 && now - start >= seconds * 1000) elapsed = now - start;
      return got;
    }
  };
}

function checked(result: number): number {
  if (result > 0) return result;
  throw new KoalaError("ERR_BENCH_FLOOR", `the socket failed: ${result}`);
}

/** Small messages there and back over a bare socket, a new one for each that comes. */
import { KoalaError } from "@koala/interface";
import {
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerWait,
  socketRead,
  socketWrite,
} from "@koala/native";
import type { Samples } from "../figures/samples.ts";
import type { Round, RunCommand } from "../load/load-command.ts";

/** Runs one round. */
export type SocketRound = (command: RunCommand, samples: Samples) => Round;

/**
 * The messages in flight lie behind each other in one buffer, the lap; what comes is sent again from where
 * it came to. All of them fit every socket buffer, so no write is cut.
 */
export function createSocketEcho(socket: number): SocketRound {
  const poller = pollerCreate();
  const events = new Int32Array(2);
  pollerAdd(poller, socket, 0, POLL_IN);

  return ({ bytes, inFlight, seconds }, samples) => {
    const messageBytes = 4 + bytes;
    const lap = new ArrayBuffer(messageBytes * inFlight);
    const start = performance.now();
    let sentAt = start;
    let elapsed = 0;
    let received = 0;
    let calls = 0;
    let at = 0;
    checked(socketWrite(socket, lap, 0, lap.byteLength));
    for (let outstanding = lap.byteLength; outstanding > 0; ) {
      pollerWait(poller, events, 1, -1);
      const got = checked(socketRead(socket, lap, at, lap.byteLength - at));
      received += got;
      // The first message of the lap is the timed one.
      if (at < messageBytes && at + got >= messageBytes) {
        const now = performance.now();
        samples.add((now - sentAt) * 1000);
        sentAt = now;
        if (elapsed === 0 && now - start >= seconds * 1000) {
          elapsed = now - start;
          calls = Math.floor(received / messageBytes);
        }
      }
      if (elapsed === 0) checked(socketWrite(socket, lap, at, got));
      else outstanding -= got;
      at = (at + got) % lap.byteLength;
    }
    return { calls, seconds: elapsed / 1000 };
  };
}

function checked(result: number): number {
  if (result > 0) return result;
  throw new KoalaError("ERR_BENCH_FLOOR", `the socket failed: ${result}`);
}

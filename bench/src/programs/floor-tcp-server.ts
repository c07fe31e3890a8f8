/**
 * The far end of the socket floor: `floor-tcp-server.js echo|put BYTES INFLIGHT`. Sends back what comes, or counts
 * messages of BYTES after a word with their length and acknowledges each with a word. Blocks in `epoll_wait`.
 */
import { KoalaError } from "@koala/interface";
import {
  EAGAIN,
  END_OF_STREAM,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerWait,
  socketPort,
  socketRead,
  socketWrite,
  tcpListen,
} from "@koala/native";
import { say } from "../obey-commands.ts";
import { acceptOne } from "./floor-socket.ts";

const stdin = 0;
const [method, bytesText, inFlightText] = process.argv.slice(2);
const messageBytes = 4 + Number(bytesText);
/** Room for all messages in flight, as a server has it that works on them. */
const buffer = new ArrayBuffer(messageBytes * Number(inFlightText));
const acknowledgements = new ArrayBuffer(4 * Number(inFlightText));

const listener = tcpListen("127.0.0.1", 0, 1);
say({ ready: true, port: socketPort(listener) });
const socket = acceptOne(listener);
const poller = pollerCreate();
const events = new Int32Array(4);
pollerAdd(poller, stdin, stdin, POLL_IN);
pollerAdd(poller, socket, socket, POLL_IN);

function send(source: ArrayBuffer, offset: number, bytes: number): void {
  const sent = socketWrite(socket, source, offset, bytes);
  if (sent === bytes) return;
  throw new KoalaError("ERR_BENCH_FLOOR", `the socket took ${sent} of ${bytes} bytes`);
}

let offset = 0;
let total = 0;
let acknowledged = 0;

/** Takes what has come; false at the end of the connection. */
function take(): boolean {
  const got = socketRead(socket, buffer, offset, buffer.byteLength - offset);
  if (got === -EAGAIN) return true;
  if (got === END_OF_STREAM) return false;
  if (got < 0) throw new KoalaError("ERR_BENCH_FLOOR", `the socket failed: errno ${-got}`);
  if (method === "echo") {
    send(buffer, offset, got);
    return true;
  }
  offset = (offset + got) % buffer.byteLength;
  total += got;
  const complete = Math.floor(total / messageBytes) - acknowledged;
  if (complete > 0) send(acknowledgements, 0, 4 * complete);
  acknowledged += complete;
  return true;
}

/** Serves until the client or stdin ends. */
function serveUntilEnd(): void {
  for (;;) {
    const count = pollerWait(poller, events, 2, -1);
    for (let i = 0; i < count; i++) {
      if (events[2 * i] === stdin || !take()) return;
    }
  }
}

serveUntilEnd();

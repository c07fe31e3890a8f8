/**
 * The far end of the socket floor, for any number of connections. Each begins with what is to be done: words that say
 * whether messages are sent back or counted, how long they are and how many are in flight. Counted messages have
 * a word before them, and are acknowledged with a word each. Blocks in `epoll_wait`.
 */
import { KoalaError } from "@koala/interface";
import {
  closeFd,
  EAGAIN,
  END_OF_STREAM,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerRemove,
  pollerWait,
  socketAccept,
  socketPort,
  socketRead,
  socketWrite,
  tcpListen,
  tcpTune,
} from "@koala/native";
import { say } from "../load/obey-commands.ts";
import { helloBytes, readHello } from "./floor-hello.ts";

const stdin = 0;
const eventsMax = 16;
const backlog = 16;

/** One client's connection. */
class Connection {
  private readonly fd: number;
  private readonly hello = new ArrayBuffer(helloBytes);
  private helloRead = 0;
  private isEcho = false;
  private messageBytes = 0;
  /** Room for all messages in flight, as a server has it that works on them. */
  private buffer = new ArrayBuffer(0);
  private acknowledgements = new ArrayBuffer(0);
  private offset = 0;
  private total = 0;
  private acknowledged = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Takes what has come; false at the end of the connection. */
  take(): boolean {
    if (this.helloRead < helloBytes) return this.takeHello();
    const { fd, buffer, offset } = this;
    const got = socketRead(fd, buffer, offset, buffer.byteLength - offset);
    if (got === -EAGAIN) return true;
    if (got === END_OF_STREAM) return false;
    if (got < 0) throw new KoalaError("ERR_BENCH_FLOOR", `the socket failed: errno ${-got}`);
    if (this.isEcho) {
      this.send(buffer, offset, got);
      return true;
    }
    this.offset = (offset + got) % buffer.byteLength;
    this.total += got;
    const complete = Math.floor(this.total / this.messageBytes) - this.acknowledged;
    if (complete > 0) this.send(this.acknowledgements, 0, 4 * complete);
    this.acknowledged += complete;
    return true;
  }

  private takeHello(): boolean {
    const got = socketRead(this.fd, this.hello, this.helloRead, helloBytes - this.helloRead);
    if (got === -EAGAIN) return true;
    if (got <= 0) return false;
    this.helloRead += got;
    if (this.helloRead < helloBytes) return true;
    const { isEcho, bytes, inFlight } = readHello(this.hello);
    this.isEcho = isEcho;
    this.messageBytes = 4 + bytes;
    this.buffer = new ArrayBuffer(this.messageBytes * inFlight);
    this.acknowledgements = new ArrayBuffer(4 * inFlight);
    return true;
  }

  private send(source: ArrayBuffer, offset: number, bytes: number): void {
    const sent = socketWrite(this.fd, source, offset, bytes);
    if (sent === bytes) return;
    throw new KoalaError("ERR_BENCH_FLOOR", `the socket took ${sent} of ${bytes} bytes`);
  }
}

/** Serves until stdin ends. */
function serveUntilEnd(listener: number): void {
  const poller = pollerCreate();
  const events = new Int32Array(2 * eventsMax);
  const connections = new Map<number, Connection>();
  pollerAdd(poller, stdin, stdin, POLL_IN);
  pollerAdd(poller, listener, listener, POLL_IN);
  const accept = (): void => {
    const fd = socketAccept(listener);
    if (fd < 0) return;
    tcpTune(fd, { noDelay: true });
    connections.set(fd, new Connection(fd));
    pollerAdd(poller, fd, fd, POLL_IN);
  };
  for (;;) {
    const count = pollerWait(poller, events, eventsMax, -1);
    for (let i = 0; i < count; i++) {
      const fd = events[2 * i]!;
      if (fd === stdin) return;
      if (fd === listener) accept();
      else if (connections.get(fd)?.take() === false) {
        pollerRemove(poller, fd);
        connections.delete(fd);
        closeFd(fd);
      }
    }
  }
}

const listener = tcpListen("127.0.0.1", 0, backlog);
say({ ready: true, port: socketPort(listener) });
serveUntilEnd(listener);

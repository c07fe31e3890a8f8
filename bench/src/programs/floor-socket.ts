/** Sockets of the floors: blocking where nothing is measured yet. */
import { KoalaError } from "@koala/interface";
import {
  closeFd,
  EINPROGRESS,
  errnoName,
  POLL_IN,
  POLL_OUT,
  pollerAdd,
  pollerCreate,
  pollerWait,
  socketAccept,
  socketConnected,
  tcpConnect,
  tcpTune,
} from "@koala/native";

const deadlineMicros = 10_000_000;

/** Waits for one connection; the listener is closed then. */
export function acceptOne(listener: number): number {
  waitFor(listener, POLL_IN);
  const fd = socketAccept(listener);
  if (fd < 0) throw new KoalaError("ERR_BENCH_FLOOR", `nobody connected: ${errnoName(fd)}`);
  closeFd(listener);
  tcpTune(fd, { noDelay: true });
  return fd;
}

/** Connects to a port of this host. */
export function connectTo(port: number): number {
  const fd = tcpConnect("127.0.0.1", port);
  if (socketConnected(fd) === -EINPROGRESS) waitFor(fd, POLL_OUT);
  const outcome = socketConnected(fd);
  if (outcome !== 0) {
    throw new KoalaError("ERR_BENCH_FLOOR", `can't connect to ${port}: ${errnoName(outcome)}`);
  }
  tcpTune(fd, { noDelay: true });
  return fd;
}

function waitFor(fd: number, events: number): void {
  const poller = pollerCreate();
  pollerAdd(poller, fd, fd, events);
  pollerWait(poller, new Int32Array(2), 1, deadlineMicros);
  closeFd(poller);
}

/**
 * The forwarder of the ring floors: takes 64-byte slots from one side and gives them to the other, and
 * nothing else. It sleeps as a runtime of the daemon does: its thread blocks in `epoll_wait`, doorbells are
 * edges and are never read.
 *
 *   floor-ring-forwarder.js local          descriptors 3 4 5 and 6 7 8: two apps
 *   floor-ring-forwarder.js listen         descriptors 3 4 5: one app; the other side is a socket
 *   floor-ring-forwarder.js connect PORT
 *
 * Descriptors of an app: its region, the doorbell that it rings, the doorbell that it sleeps on.
 */
import {
  POLL_EDGE,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerWait,
  socketPort,
  tcpListen,
} from "@koala/native";
import { say } from "../load/obey-commands.ts";
import { acceptOne, connectTo } from "./floor-socket.ts";
import { RingSide, type Side, SocketSide } from "./forwarder-side.ts";

const stdin = 0;
const eventsMax = 16;
const [mode, port] = process.argv.slice(2);

function openOtherSide(): Side {
  if (mode === "local") return new RingSide(6, 7, 8);
  if (mode === "connect") return new SocketSide(connectTo(Number(port)));
  const listener = tcpListen("127.0.0.1", 0, 1);
  say({ listening: true, port: socketPort(listener) });
  return new SocketSide(acceptOne(listener));
}

/** Forwards until somebody writes to stdin, or closes it. */
function forward(near: Side, far: Side): void {
  const poller = pollerCreate();
  const events = new Int32Array(2 * eventsMax);
  pollerAdd(poller, stdin, stdin, POLL_IN);
  for (const { fd, isDoorbell } of [near, far]) {
    pollerAdd(poller, fd, fd, isDoorbell ? POLL_IN | POLL_EDGE : POLL_IN);
  }
  for (;;) {
    near.moveTo(far);
    far.moveTo(near);
    near.flush();
    far.flush();
    const mayWait = near.sleep() && far.sleep();
    if (!mayWait) near.awake();
    const count = pollerWait(poller, events, eventsMax, mayWait ? -1 : 0);
    for (let i = 0; i < count; i++) if (events[2 * i] === stdin) return;
  }
}

const near = new RingSide(3, 4, 5);
const far = openOtherSide();
say({ ready: true });
forward(near, far);

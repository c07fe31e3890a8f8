/** Options of TCP sockets. */
import { native } from "./native.ts";

/** What is not given stays as it is. */
export interface TcpOptions {
  /** Send small segments at once (TCP_NODELAY). */
  noDelay?: boolean;
  /** The kernel's send buffer (SO_SNDBUF); the kernel doubles it. */
  sendBytes?: number;
  /** The kernel's receive buffer (SO_RCVBUF); setting it turns the kernel's own tuning off. */
  receiveBytes?: number;
  /** Seconds of silence before the first of three probes; 0 turns probes off. */
  keepAliveSeconds?: number;
  /** How long sent bytes may stay unacknowledged before the connection is given up. */
  userTimeoutMs?: number;
  /** Report writable only while fewer unsent bytes are queued (TCP_NOTSENT_LOWAT). */
  unsentBytesMax?: number;
}

/** Sets the given options of a TCP socket; throws for the first that the kernel refuses. */
export function tcpTune(fd: number, options: TcpOptions): void {
  native.tcpTune(
    fd,
    options.noDelay === undefined ? -1 : Number(options.noDelay),
    options.sendBytes ?? -1,
    options.receiveBytes ?? -1,
    options.keepAliveSeconds ?? -1,
    options.userTimeoutMs ?? -1,
    options.unsentBytesMax ?? -1,
  );
}

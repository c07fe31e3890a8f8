/** The TCP transport: non-blocking kernel sockets, polled by the runtime that owns them. */
import {
  type Connection,
  KoalaError,
  type Listener,
  messageOf,
  type Transport,
} from "@koala/interface";
import {
  type TcpOptions as SocketOptions,
  socketConnected,
  socketPeer,
  socketPort,
  tcpConnect,
  tcpListen,
  tcpTune,
} from "@koala/native";
import { TcpConnection } from "./tcp-connection.ts";
import { TcpListener } from "./tcp-listener.ts";

/** What may be set; Nagle's algorithm is always off, since frames are batched above. */
export interface TcpOptions {
  /** Connections that wait to be accepted. Default 512; the kernel caps it at net.core.somaxconn. */
  backlog?: number;
  /**
   * The kernel's send buffer. Not given: the kernel adapts it, up to net.ipv4.tcp_wmem. A value caps what
   * a slow peer can hold in this host's kernel.
   */
  sendBytes?: number;
  /** The kernel's receive buffer. Not given: the kernel adapts it, up to net.ipv4.tcp_rmem. */
  receiveBytes?: number;
  /** Seconds of silence before the kernel probes the peer. Default: no probes. */
  keepAliveSeconds?: number;
  /** How long sent bytes may stay unacknowledged before the connection counts as dead. */
  userTimeoutMs?: number;
  /** Writable only while the kernel holds fewer unsent bytes than this, which keeps queues short. */
  unsentBytesMax?: number;
}

const backlogDefault = 512;

/**
 * Makes the transport; it has no state of its own, so any thread may have one. `ERR_TCP_OPTION` for an
 * option that is no whole number from 0 on.
 */
export function createTcpTransport(options: TcpOptions = {}): Transport {
  checkOptions(options);
  const { backlog = backlogDefault, ...tuning } = options;
  const socketOptions: SocketOptions = { noDelay: true, ...tuning };
  return {
    name: "tcp",
    listen: (host, port) => listenAt(host, port, backlog),
    connect: startToConnect,
    connected: socketConnected,
    adopt: (fd) => adoptSocket(fd, socketOptions),
  };
}

function checkOptions(options: TcpOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** 31) continue;
    throw new KoalaError(
      "ERR_TCP_OPTION",
      `the option ${name} of the TCP transport is ${value}, expected a whole number from 0 to 2^31-1`,
    );
  }
}

function listenAt(host: string, port: number, backlog: number): Listener {
  let fd: number;
  try {
    fd = tcpListen(host, port, backlog);
  } catch (cause) {
    throw new KoalaError(
      "ERR_TCP_LISTEN",
      `can't listen at ${host}:${port}: ${messageOf(cause)}${hintFor(cause)}`,
      { cause },
    );
  }
  return new TcpListener(fd, socketPort(fd));
}

/** Makes a listener of a socket that listens already, as another process has handed it over. */
export function adoptTcpListener(fd: number): Listener {
  return new TcpListener(fd, socketPort(fd));
}

function startToConnect(host: string, port: number): number {
  try {
    return tcpConnect(host, port);
  } catch (cause) {
    throw new KoalaError(
      "ERR_TCP_CONNECT",
      `can't connect to ${host}:${port}: ${messageOf(cause)}${hintFor(cause)}`,
      { cause },
    );
  }
}

function adoptSocket(fd: number, options: SocketOptions): Connection {
  try {
    tcpTune(fd, options);
    return new TcpConnection(fd, socketPeer(fd));
  } catch {
    // The peer is gone already, or never was there: the first `receive` says so, adopting never throws.
    return new TcpConnection(fd, "not connected");
  }
}

const hints: Readonly<Record<string, string>> = {
  EADDRINUSE: "; another process has this port, choose another one or stop it (ss -ltnp shows it)",
  EADDRNOTAVAIL: "; this host has no such address, use one that ip address shows, 0.0.0.0 or ::",
  EACCES: "; ports below 1024 need CAP_NET_BIND_SERVICE",
  EINVAL: "; names are resolved before, give a numeric IPv4 or IPv6 address",
  EMFILE: "; raise the limit of open files (LimitNOFILE, ulimit -n)",
};

function hintFor(cause: unknown): string {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code === undefined ? "" : (hints[code] ?? "");
}

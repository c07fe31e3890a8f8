/**
 * What a transport offers to the adapter engine above it: a connected, ordered, reliable pipe of bytes
 * between two daemons that both a stream socket and an RDMA queue pair can be.
 *
 * Every function is called from the runtime thread that owns the connection, returns at once and never
 * throws; a negative number is `-errno`. Nobody is called back: the owner polls, and sleeps on `fd`.
 */

/** A piece of memory that a transport sends from or receives into. The buffer may be shared memory. */
export interface Span {
  buffer: ArrayBuffer;
  /** Bytes from the start of `buffer`. */
  offset: number;
  /** Bytes. */
  length: number;
}

export interface Connection {
  /** Pollable descriptor: readable when `receive` may make progress, writable when `send` may. */
  readonly fd: number;
  /** For logs: where it goes, `host:port` for sockets. */
  readonly remote: string;

  /**
   * Posts `spanCount` spans, in order, and takes what fits now: returns the bytes taken (a prefix of the
   * spans), 0 when full, `-errno` when the connection is dead. Taken bytes may still be read from their
   * place until `sentBytes` has passed them (a socket copies at once, a queue pair completes later), so
   * the memory belongs to the transport until then.
   */
  send(spans: readonly Span[], spanCount: number): number;

  /** Total bytes ever posted whose memory is the caller's again. */
  sentBytes(): number;

  /**
   * Receives what is there into the spans, in order: bytes received, 0 when there is nothing now,
   * `-errno` when the connection is dead (`-ECONNRESET` for an orderly end, too).
   */
  receive(spans: readonly Span[], spanCount: number): number;

  /** Closes now. What was not sent is lost. Safe to call twice. */
  close(): void;
}

/** Incoming connections of one listening port. */
export interface Listener {
  readonly fd: number;
  /** The port that was bound: the one asked for, or the one chosen for port 0. */
  readonly port: number;
  /** The next connection's descriptor, or a negative `-errno` (`-EAGAIN` when there is none). */
  accept(): number;
  close(): void;
}

export interface Transport {
  /** `tcp`, `rdma`, `memory`. */
  readonly name: string;
  /** Binds and listens; throws a KoalaError that names the address and the cause. */
  listen(host: string, port: number): Listener;
  /**
   * Starts to connect to a numeric address and returns the descriptor at once; throws when it can't even
   * start. The outcome is known once the descriptor is writable: see `connected`.
   */
  connect(host: string, port: number): number;
  /** 0 when the descriptor of `connect` is connected, `-EINPROGRESS` while not, else `-errno`. */
  connected(fd: number): number;
  /** Makes a connection of a connected or accepted descriptor, which it owns from then on. */
  adopt(fd: number): Connection;
}

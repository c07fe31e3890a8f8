/**
 * One port for HTTP/1.1 and for HTTP/2, with TLS or without: the first bytes of a connection say which it is.
 * Whatever comes in is bounded: connections, streams, headers, and the time that each may take without getting on.
 */
import { createServer as createHttp1Server, type Server as Http1Server } from "node:http";
import {
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
} from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { KoalaError, messageOf } from "@koala/interface";
import type { MetadataEntry } from "@koala/mrpc";
import { callerOf } from "./caller.ts";
import type { Exchange } from "./exchange.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { Http2Exchange } from "./http2-exchange.ts";

export interface FrontDoorLimits {
  /** Connections at a time; further ones are closed at once. */
  readonly connections: number;
  /** Streams of one connection at a time; further ones are refused. */
  readonly streams: number;
  /** Bytes of all headers of a request. */
  readonly headerBytes: number;
  /** How long a connection may take to say its first request. */
  readonly headerMs: number;
  /** A connection without a request is closed after this time. */
  readonly idleMs: number;
}

/** What has come through the door. */
export interface FrontDoorCounts {
  readonly connections: number;
  readonly streams: number;
  readonly connectionsTotal: number;
  readonly requestsTotal: number;
  readonly refusedTotal: number;
}

/** A connection, for those who look. */
export interface DoorConnection {
  readonly id: number;
  readonly socket: Socket;
  readonly since: Date;
  kind: "unknown" | "http1" | "http2";
  requests: number;
  lastRequest: Date | null;
  open: number;
}

export interface FrontDoorOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined: without TLS. */
  readonly tls?: TlsOptions | undefined;
  readonly limits: FrontDoorLimits;
  readonly onExchange: (exchange: Exchange) => void;
}

/** All clients of HTTP/2 begin with `PRI * HTTP/2.0`; no method of HTTP/1 does. */
const preface = Buffer.from("PRI ");
const headerPairsMax = 256;
const resetsBurst = 900;
const resetsPerSecond = 30;
/** A peer with open calls that has sent nothing for so long is asked for a sign of life, and has as long to give it. */
const probeAfterMs = 60_000;

export class FrontDoor {
  readonly connections: Set<DoorConnection> = new Set();
  private readonly options: FrontDoorOptions;
  private readonly server: Server;
  private readonly http1: Http1Server;
  private readonly http2: Http2Server;
  /** Connections of TLS, which may be in the middle of its handshake. */
  private readonly shaking = new Set<Socket>();
  private readonly sessions = new Set<ServerHttp2Session>();
  /** By the session of HTTP/2, or the socket of HTTP/1. */
  private readonly byPeer = new WeakMap<object, DoorConnection>();
  private connectionsTotal = 0;
  private requestsTotal = 0;
  private refusedTotal = 0;
  private streams = 0;
  private isClosing = false;

  constructor(options: FrontDoorOptions) {
    this.options = options;
    const { headerBytes, headerMs, idleMs, streams } = options.limits;
    this.http1 = createHttp1Server({
      maxHeaderSize: headerBytes,
      headersTimeout: headerMs,
      // Bodies have a time of their own, by what they are for.
      requestTimeout: 0,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1000, headerMs / 2)),
    });
    // The server never listens itself; this starts its watch over slow connections.
    this.http1.emit("listening");
    this.http1.on("request", (request, response) => {
      this.take(
        new Http1Exchange(request, response, callerOf(request.socket)),
        request.socket,
        response,
      );
    });
    this.http2 = createHttp2Server({
      maxHeaderListPairs: headerPairsMax,
      maxSessionInvalidFrames: 16,
      maxSessionRejectedStreams: 64,
      settings: {
        maxConcurrentStreams: streams,
        maxHeaderListSize: headerBytes,
        enablePush: false,
      },
    });
    this.http2.on("session", (session) => this.watchSession(session));
    this.http2.on("sessionError", () => {});
    this.http2.on("stream", (stream, headers) => {
      const caller = this.callerOfSession(stream.session);
      this.take(new Http2Exchange(stream, headers, caller), stream.session, stream);
    });
    this.server = this.createServer();
  }

  get counts(): FrontDoorCounts {
    const { streams, connectionsTotal, requestsTotal, refusedTotal } = this;
    const connections = this.connections.size;
    return { connections, streams, connectionsTotal, requestsTotal, refusedTotal };
  }

  /** Listens; resolves with the address. Rejects with ERR_GATEWAY_LISTEN. */
  listen(): Promise<AddressInfo> {
    const { host, port } = this.options;
    return new Promise((resolve, reject) => {
      this.server.once("error", (cause) => {
        const text = `can't listen at ${host}:${port}: ${messageOf(cause)}; give another address, or stop who has it`;
        reject(new KoalaError("ERR_GATEWAY_LISTEN", text, { cause }));
      });
      this.server.listen(port, host, () => resolve(this.server.address() as AddressInfo));
    });
  }

  /** Takes nothing new; requests that are being served have `graceMs` to end. */
  async close(graceMs: number): Promise<void> {
    this.isClosing = true;
    this.server.close();
    // Requests that are on their way to us now are refused as never seen, and may go elsewhere.
    for (const session of this.sessions) session.close();
    this.http1.closeIdleConnections();
    const deadline = performance.now() + graceMs;
    while (this.streams > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const { socket } of this.connections) socket.destroy();
    for (const socket of this.shaking) socket.destroy();
    for (const session of this.sessions) session.destroy();
    this.http1.close();
    this.http2.close();
  }

  private createServer(): Server {
    const { tls, limits } = this.options;
    const options = { noDelay: true, keepAlive: true };
    if (tls === undefined) return createServer(options, (socket) => this.admit(socket));
    const handshakeTimeout = limits.headerMs;
    const server = createTlsServer({ ...options, ...tls, handshakeTimeout }, (socket) =>
      this.admit(socket),
    );
    // Those who have not said who they are yet count as well.
    server.maxConnections = limits.connections;
    server.on("drop", () => void this.refusedTotal++);
    server.on("tlsClientError", () => void this.refusedTotal++);
    server.on("connection", (socket) => {
      this.shaking.add(socket);
      socket.once("close", () => this.shaking.delete(socket));
    });
    return server;
  }

  /** Of all streams of a session the same. */
  private callerOfSession(session: object | undefined): readonly MetadataEntry[] {
    const connection = session === undefined ? undefined : this.byPeer.get(session);
    return connection === undefined ? [] : callerOf(connection.socket);
  }

  private admit(socket: Socket): void {
    const { connections, headerMs } = this.options.limits;
    socket.on("error", () => {});
    if (this.connections.size >= connections || this.isClosing) {
      this.refusedTotal++;
      socket.destroy();
      return;
    }
    this.connectionsTotal++;
    const connection: DoorConnection = {
      id: this.connectionsTotal,
      socket,
      since: new Date(),
      kind: "unknown",
      requests: 0,
      lastRequest: null,
      open: 0,
    };
    this.connections.add(connection);
    const timer = setTimeout(() => socket.destroy(), headerMs);
    socket.once("close", () => {
      clearTimeout(timer);
      this.connections.delete(connection);
    });
    let first: Buffer = Buffer.alloc(0);
    const look = (): void => {
      const more = socket.read() as Buffer | null;
      if (more === null) return;
      first = first.length === 0 ? more : Buffer.concat([first, more]);
      const length = Math.min(first.length, preface.length);
      const isPreface = first.subarray(0, length).equals(preface.subarray(0, length));
      // It comes together but from those who want to be slow.
      if (isPreface && length < preface.length) return;
      socket.off("readable", look);
      clearTimeout(timer);
      socket.unshift(first);
      if (isPreface) this.openSession(connection);
      else {
        connection.kind = "http1";
        this.byPeer.set(socket, connection);
        this.http1.emit("connection", socket);
      }
    };
    socket.on("readable", look);
  }

  private openSession(connection: DoorConnection): void {
    connection.kind = "http2";
    // The session is made, and announced, before this returns.
    const onSession = (session: ServerHttp2Session): void => {
      this.byPeer.set(session, connection);
    };
    this.http2.once("session", onSession);
    this.http2.emit("connection", connection.socket);
    this.http2.off("session", onSession);
  }

  private watchSession(session: ServerHttp2Session): void {
    const { idleMs, headerMs } = this.options.limits;
    this.sessions.add(session);
    let idleSince = performance.now();
    let hadRequest = false;
    let open = 0;
    const resets = new ResetBudget();
    session.on("stream", (stream) => {
      hadRequest = true;
      open++;
      stream.once("aborted", () => {
        if (resets.take(performance.now()) || session.destroyed) return;
        session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        setImmediate(() => session.destroy());
      });
      stream.once("close", () => {
        open--;
        idleSince = performance.now();
      });
    });
    // Pings keep nobody in: what counts is requests.
    const timer = setInterval(
      () => {
        const limit = hadRequest ? idleMs : Math.min(headerMs, idleMs);
        const idle = performance.now() - idleSince;
        if (open > 0 || idle < limit) return;
        if (session.closed || idle > 2 * limit) session.destroy();
        else session.close();
      },
      Math.max(20, Math.min(1000, Math.min(headerMs, idleMs) / 2)),
    );
    timer.unref();
    session.setTimeout(Math.min(idleMs, probeAfterMs), () => {
      if (open > 0) probe(session, Math.min(headerMs, probeAfterMs));
    });
    session.on("error", () => {});
    session.once("goaway", (code) => {
      if (code !== constants.NGHTTP2_NO_ERROR) session.destroy();
    });
    session.once("close", () => {
      clearInterval(timer);
      this.sessions.delete(session);
    });
  }

  private take(
    exchange: Exchange,
    peer: object | undefined,
    end: { once(event: "close", listener: () => void): unknown },
  ): void {
    this.requestsTotal++;
    this.streams++;
    const connection = peer === undefined ? undefined : this.byPeer.get(peer);
    if (connection !== undefined) {
      connection.requests++;
      connection.lastRequest = new Date();
      connection.open++;
    }
    end.once("close", () => {
      this.streams--;
      if (connection !== undefined) connection.open--;
    });
    this.options.onExchange(exchange);
  }
}

/**
 * Asks a peer with open calls that has been quiet whether it is still there. One that is gone, or whose session
 * the library has given up without saying so (after a frame of the wrong size, say), does not answer.
 */
function probe(session: ServerHttp2Session, answerMs: number): void {
  const timer = setTimeout(() => session.destroy(), answerMs);
  timer.unref();
  const isSent =
    !session.destroyed &&
    session.ping((error) => {
      clearTimeout(timer);
      if (error !== null) session.destroy();
    });
  if (isSent) return;
  clearTimeout(timer);
  session.destroy();
}

/**
 * Calls that a connection may give up: opening and resetting costs its peer less than us. Below what nghttp2 allows,
 * which then stops to read and leaves the connection open.
 */
class ResetBudget {
  private left = resetsBurst;
  private atMs = performance.now();

  /** False when there were too many. */
  take(nowMs: number): boolean {
    const back = ((nowMs - this.atMs) / 1000) * resetsPerSecond;
    this.left = Math.min(resetsBurst, this.left + back) - 1;
    this.atMs = nowMs;
    return this.left >= 0;
  }
}

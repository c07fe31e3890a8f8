/**
 * The connection to a server of gRPC: made when it is needed, made again when it is lost, and asked now and then
 * whether anybody is there.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { messageOf, Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import type { TlsMaterial } from "../http/tls-files.ts";

export interface UpstreamOptions {
  readonly host: string;
  readonly port: number;
  /** How long making a connection may take. */
  readonly connectMs: number;
  /** The connection is asked so often whether it is alive, and has as long to answer. */
  readonly keepaliveMs: number;
  /** Undefined: without TLS. */
  readonly tls: TlsMaterial | undefined;
}

/** After a connection could not be made, calls fail at once for so long. */
const pauseMinMs = 100;
const pauseMaxMs = 5000;

/**
 * Megabytes that HTTP/2 may hold for calls under way; Node's own 10 would end calls as soon as some large messages
 * are sent at the same time. What apps may have under way is bounded by their heaps.
 */
const maxSessionMemory = 1 << 20;

export class UpstreamSession {
  readonly authority: string;
  private readonly scheme: "http" | "https";
  private readonly options: UpstreamOptions;
  private session: ClientHttp2Session | null = null;
  private opening: Promise<ClientHttp2Session> | null = null;
  private lastError = "";
  private pauseMs = pauseMinMs;
  private openAgainAt = 0;
  private isClosed = false;

  constructor(options: UpstreamOptions) {
    this.options = options;
    const { host, port, tls } = options;
    this.scheme = tls === undefined ? "http" : "https";
    this.authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** Whether there is a connection. */
  get isUp(): boolean {
    return this.session !== null;
  }

  /** Begins a request. Throws UNAVAILABLE when there is no connection to be had. */
  async request(headers: OutgoingHttpHeaders): Promise<ClientHttp2Stream> {
    const session = this.session ?? (await this.open());
    try {
      return session.request({
        ":method": "POST",
        ":scheme": this.scheme,
        ":authority": this.authority,
        ...headers,
      });
    } catch (error) {
      throw this.unavailable(messageOf(error));
    }
  }

  close(): void {
    this.isClosed = true;
    this.session?.close();
    this.session = null;
  }

  /** The error of a call that did not get through. */
  unavailable(reason: string): RpcError {
    return new RpcError(Status.UNAVAILABLE, `the server at ${this.authority}: ${reason}`);
  }

  private open(): Promise<ClientHttp2Session> {
    if (this.isClosed) throw this.unavailable("the gateway stops");
    if (performance.now() < this.openAgainAt) throw this.unavailable(this.lastError);
    this.opening ??= this.openOnce().finally(() => {
      this.opening = null;
    });
    return this.opening;
  }

  private openOnce(): Promise<ClientHttp2Session> {
    const { connectMs, tls } = this.options;
    return new Promise((resolve, reject) => {
      const session = connect(`${this.scheme}://${this.authority}`, { ...tls, maxSessionMemory });
      const fail = (reason: string): void => {
        clearTimeout(timer);
        this.lastError = reason;
        this.openAgainAt = performance.now() + this.pauseMs;
        this.pauseMs = Math.min(2 * this.pauseMs, pauseMaxMs);
        session.destroy();
        reject(this.unavailable(reason));
      };
      const timer = setTimeout(() => fail(`no connection in ${connectMs} ms`), connectMs);
      session.on("error", (error) => fail(messageOf(error)));
      // The settings are its first word: before that, anybody could be there.
      session.once("remoteSettings", () => {
        clearTimeout(timer);
        this.pauseMs = pauseMinMs;
        this.adopt(session);
        resolve(session);
      });
      session.once("close", () => fail("it has closed the connection"));
    });
  }

  private adopt(session: ClientHttp2Session): void {
    this.session = session;
    const { keepaliveMs } = this.options;
    let isWaiting = false;
    const timer = setInterval(() => {
      if (isWaiting || session.destroyed) session.destroy();
      else {
        isWaiting = session.ping(() => {
          isWaiting = false;
        });
      }
    }, keepaliveMs);
    timer.unref();
    const drop = (): void => {
      if (this.session === session) this.session = null;
    };
    // Streams that are open may end; further ones go over another connection.
    session.once("goaway", drop);
    session.once("close", () => {
      clearInterval(timer);
      drop();
    });
  }
}

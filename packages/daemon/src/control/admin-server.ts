/**
 * The admin socket: HTTP/1.1 with JSON over a Unix socket, for koalactl and for people with curl.
 *
 * It shares the main thread with the control plane, so nothing here may wait for a client or keep much
 * for one: a connection serves one request, lives a few seconds at most, and there are few at once.
 * Who may ask is decided when the connection is accepted, from the peer's credentials.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import { closeFd, type PeerCredentials } from "@koala/native";
import type { AreaLog } from "../log/index.ts";
import { type AdminListener, openAdminListener } from "./admin-listener.ts";
import { type AdminAnswer, type AdminBackend, answerRequest, refusal } from "./admin-routes.ts";

export type { DaemonReport } from "./admin-report.ts";
export type { AdminBackend } from "./admin-routes.ts";

const connectionsMax = 64;
/** Connections that are told no at the same time; more are closed without a word. */
const refusalsMax = 16;
const headerBytesMax = 8 * 1024;
const logPauseMs = 1000;

/** What the server is made of. */
export interface AdminServerOptions {
  /** Of the socket: `<prefix>/admin.sock`; the folder is there. */
  path: string;
  /**
   * Users who may ask. Default: root and the user of the daemon. The socket's mode is 0600 as long as
   * these two are enough, else 0660: other users have to be in the daemon's group, too.
   */
  allowedUids?: readonly number[] | undefined;
  backend: AdminBackend;
  log: AreaLog;
  /** From accepting a connection to its end, for whatever reason it takes that long. Default 10000. */
  connectionMs?: number | undefined;
}

/** A running admin server. */
export interface AdminServer {
  /** Stops listening, cuts the connections, removes the socket. Fine to call twice. */
  close(): Promise<void>;
}

/** Starts to answer at `path`; throws ERR_ADMIN_SOCKET when it can't listen there. */
export function startAdminServer(options: AdminServerOptions): AdminServer {
  return new SocketAdminServer(options);
}

class SocketAdminServer implements AdminServer {
  private readonly backend: AdminBackend;
  private readonly log: AreaLog;
  private readonly uids: readonly number[];
  private readonly connectionMs: number;
  private readonly listener: AdminListener;
  private readonly server: Server;
  /** Open connections, with what those that may not ask are told. */
  private readonly connections = new Map<Socket, AdminAnswer | undefined>();
  private refusals = 0;
  private loggedAt = Number.NEGATIVE_INFINITY;
  private unlogged = 0;
  private isClosed = false;

  constructor({ path, allowedUids, backend, log, connectionMs = 10_000 }: AdminServerOptions) {
    const ownUids = [0, process.geteuid?.() ?? 0];
    this.uids = allowedUids ?? ownUids;
    this.backend = shareAnswers(backend);
    this.log = log;
    this.connectionMs = connectionMs;
    const options = { maxHeaderSize: headerBytesMax, keepAlive: false, keepAliveTimeout: 1 };
    this.server = createServer(options, (request, response) => void this.serve(request, response));
    this.server.maxRequestsPerSocket = 1;
    const mode = this.uids.every((uid) => ownUids.includes(uid)) ? 0o600 : 0o660;
    this.listener = openAdminListener(path, mode, log, (fd, peer) => this.open(fd, peer));
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.listener.close();
    const ends = [...this.connections.keys()].map(
      (socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
    );
    for (const socket of this.connections.keys()) socket.destroy();
    await Promise.all(ends);
  }

  private open(fd: number, peer: PeerCredentials): void {
    const no = this.refusalOf(peer);
    if (no !== undefined && this.refusals >= refusalsMax) {
      closeFd(fd);
      return;
    }
    let socket: Socket;
    try {
      socket = new Socket({ fd, readable: true, writable: true });
    } catch (error) {
      closeFd(fd);
      this.log.error("a connection can't be used", { reason: error });
      return;
    }
    this.connections.set(socket, no);
    if (no !== undefined) this.refusals++;
    // Those who are told no get time to send their question, and no more.
    const ms = no === undefined ? this.connectionMs : Math.min(this.connectionMs, 1000);
    // Node's own limits of time work only for servers that listen themselves.
    const deadline = setTimeout(() => socket.destroy(), ms);
    socket.once("close", () => {
      clearTimeout(deadline);
      this.connections.delete(socket);
      if (no !== undefined) this.refusals--;
    });
    this.server.emit("connection", socket);
  }

  /** What this peer is told instead of an answer; undefined if it gets answers. */
  private refusalOf({ uid, pid }: PeerCredentials): AdminAnswer | undefined {
    if (!this.uids.includes(uid)) {
      const text = `user ${uid} (process ${pid}) may not ask this daemon: it answers to the users ${this.uids.join(", ")}`;
      this.warn("refused", { uid, pid, reason: "not an allowed user" });
      return refusal(403, "ERR_ADMIN_USER", text);
    }
    if (this.connections.size - this.refusals >= connectionsMax) {
      const reason = `${connectionsMax} connections are open, which is the limit`;
      this.warn("refused", { uid, pid, reason });
      return refusal(503, "ERR_ADMIN_BUSY", `${reason}; try again`);
    }
    return undefined;
  }

  /** At most a line a second: whoever is refused must not fill the log. */
  private warn(message: string, fields: Record<string, string | number>): void {
    const now = performance.now();
    if (now - this.loggedAt < logPauseMs) {
      this.unlogged++;
      return;
    }
    this.log.warn(message, this.unlogged > 0 ? { ...fields, alsoRefused: this.unlogged } : fields);
    this.loggedAt = now;
    this.unlogged = 0;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    try {
      const answer = await this.answerOf(request);
      this.log.debug("answered", { method, url, status: answer.status });
      send(response, answer);
    } catch (error) {
      this.log.error("can't answer", { method, url, reason: error });
      request.socket.destroy();
    }
  }

  private async answerOf(request: IncomingMessage): Promise<AdminAnswer> {
    const no = this.connections.get(request.socket);
    if (no !== undefined) return no;
    const { method = "", url = "", headers } = request;
    const { "transfer-encoding": encoding, "content-length": length = "0" } = headers;
    if (encoding !== undefined || Number(length) !== 0) {
      return refusal(413, "ERR_ADMIN_BODY", "a request at this socket has no body");
    }
    return await answerRequest(this.backend, method, url);
  }
}

function send(response: ServerResponse, { status, body }: AdminAnswer): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.shouldKeepAlive = false;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": bytes.length,
    ...(status === 405 ? { allow: "GET" } : {}),
  });
  response.end(bytes);
}

/** Requests that come while the backend is being asked share its answer. */
function shareAnswers(backend: AdminBackend): AdminBackend {
  let asked: ReturnType<AdminBackend["status"]> | undefined;
  return {
    status: async () => {
      asked ??= backend.status().finally(() => {
        asked = undefined;
      });
      return await asked;
    },
  };
}

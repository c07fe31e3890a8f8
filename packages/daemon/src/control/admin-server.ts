/**
 * The admin socket: HTTP/1.1 with JSON over a Unix socket, for koalactl and for people with curl.
 *
 * It shares the main thread with the control plane, so nothing here may wait for a client or keep much
 * for one: a connection serves one request, lives a few seconds at most unless it follows a stream, and
 * there are few at once.
 * Who may ask is decided when the connection is accepted, from the peer's credentials.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import { closeFd, type PeerCredentials } from "@koala/native";
import type { AreaLog } from "../log/index.ts";
import { bodyBytesMax, readBody } from "./admin-body.ts";
import { type AdminListener, openAdminListener } from "./admin-listener.ts";
import { type AdminAnswer, type AdminRegistry, answerAt, refusal } from "./admin-registry.ts";
import { type RunningStream, runStream } from "./admin-stream.ts";

const connectionsMax = 64;
/** Connections that are told no at the same time; more are closed without a word. */
const refusalsMax = 16;
/** A POST may change things on all runtimes, and load code. */
const postMs = 60_000;
/** How long readers of streams get to take the last lines when the daemon stops. */
const farewellMs = 500;
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
  registry: AdminRegistry;
  log: AreaLog;
  /** From accepting a connection to its end, for whatever reason it takes that long. Default 10000. */
  connectionMs?: number | undefined;
  /** Descriptor of a daemon that listened at `path` before; connections wait for `resume`. */
  inherited?: number | undefined;
}

/** A running admin server. */
export interface AdminServer {
  /** The socket that listens. */
  readonly fd: number;
  /** New connections wait until `resume`. */
  pause(): void;
  resume(): void;
  /** Stops listening, ends the streams, cuts the connections, removes the socket. Fine to call twice. */
  close(): Promise<void>;
  /** Ends as well, but somebody else has the socket now, and what is being answered gets its answer. */
  leave(): Promise<void>;
}

/** Starts to answer at `path`; throws ERR_ADMIN_SOCKET when it can't listen there. */
export function startAdminServer(options: AdminServerOptions): AdminServer {
  return new SocketAdminServer(options);
}

interface Connection {
  readonly peer: PeerCredentials;
  /** What those that may not ask are told. */
  readonly no: AdminAnswer | undefined;
  deadline: NodeJS.Timeout;
  stream: RunningStream | undefined;
}

class SocketAdminServer implements AdminServer {
  private readonly registry: AdminRegistry;
  private readonly log: AreaLog;
  private readonly uids: readonly number[];
  private readonly connectionMs: number;
  private readonly listener: AdminListener;
  private readonly server: Server;
  private readonly connections = new Map<Socket, Connection>();
  private refusals = 0;
  private loggedAt = Number.NEGATIVE_INFINITY;
  private unlogged = 0;
  private isClosed = false;

  constructor(serverOptions: AdminServerOptions) {
    const { path, allowedUids, registry, log, connectionMs = 10_000, inherited } = serverOptions;
    const ownUids = [0, process.geteuid?.() ?? 0];
    this.uids = allowedUids ?? ownUids;
    this.registry = registry;
    this.log = log;
    this.connectionMs = connectionMs;
    const options = { maxHeaderSize: headerBytesMax, keepAlive: false, keepAliveTimeout: 1 };
    this.server = createServer(options, (request, response) => void this.serve(request, response));
    this.server.maxRequestsPerSocket = 1;
    const mode = this.uids.every((uid) => ownUids.includes(uid)) ? 0o600 : 0o660;
    const onConnection = (fd: number, peer: PeerCredentials): void => this.open(fd, peer);
    this.listener = openAdminListener(path, mode, log, onConnection, inherited);
  }

  get fd(): number {
    return this.listener.fd;
  }

  pause(): void {
    this.listener.pause();
  }

  resume(): void {
    this.listener.resume();
  }

  async leave(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.listener.leave();
    await this.endConnections(
      () => {},
      (stream) => stream.cut(),
    );
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.listener.close();
    await this.endConnections(
      (socket) => socket.destroy(),
      (stream) => stream.end(),
    );
  }

  private async endConnections(
    answering: (socket: Socket) => void,
    streaming: (stream: RunningStream) => void,
  ): Promise<void> {
    const ends = [...this.connections.keys()].map(
      (socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
    );
    for (const [socket, { stream }] of this.connections) {
      if (stream === undefined) answering(socket);
      else streaming(stream);
    }
    const cut = setTimeout(() => {
      for (const socket of this.connections.keys()) socket.destroy();
    }, farewellMs);
    await Promise.all(ends);
    clearTimeout(cut);
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
    if (no !== undefined) this.refusals++;
    // Those who are told no get time to send their question, and no more.
    const ms = no === undefined ? this.connectionMs : Math.min(this.connectionMs, 1000);
    // Node's own limits of time work only for servers that listen themselves.
    const deadline = setTimeout(() => socket.destroy(), ms);
    const connection: Connection = { peer, no, deadline, stream: undefined };
    this.connections.set(socket, connection);
    socket.once("close", () => {
      clearTimeout(connection.deadline);
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
    const connection = this.connections.get(request.socket);
    if (connection === undefined) return; // it has been cut
    try {
      const answer = await this.answerOf(request, connection);
      this.log.debug("answered", { method, url, status: answer.status });
      if ("bug" in answer) this.log.error("a handler failed", { method, url, reason: answer.bug });
      const { stream } = answer;
      if (stream === undefined) {
        // A body that nobody wants would make the kernel cut the connection before the answer is read.
        request.resume();
        send(response, answer);
      } else if (request.socket.destroyed || this.isClosed) {
        stream.close();
        request.socket.destroy();
      } else {
        // From here on nothing has to be ready at a time: the reader may stay as long as it reads.
        clearTimeout(connection.deadline);
        connection.stream = runStream(response, stream);
      }
    } catch (error) {
      this.log.error("can't answer", { method, url, reason: error });
      request.socket.destroy();
    }
  }

  private async answerOf(request: IncomingMessage, connection: Connection): Promise<AdminAnswer> {
    const { no, peer } = connection;
    if (no !== undefined) return no;
    const { method = "", url: target = "" } = request;
    const found = this.registry.find(method, target);
    if (found.no !== undefined) return found.no;
    const { route, url } = found;
    const body = await readBody(request);
    if (body === undefined) {
      const text = `the body is larger than ${bodyBytesMax} bytes`;
      return refusal(413, "ERR_ADMIN_BODY", text);
    }
    // The request is here; what counts from now on is how long the daemon takes.
    const limitMs = route.limitMs ?? (method === "POST" ? postMs : this.connectionMs);
    clearTimeout(connection.deadline);
    connection.deadline = setTimeout(() => request.socket.destroy(), limitMs);
    return await answerAt(route, url, { body, peer });
  }
}

function send(response: ServerResponse, { status, body, allow }: AdminAnswer): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.shouldKeepAlive = false;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": bytes.length,
    ...(allow === undefined ? {} : { allow }),
  });
  response.end(bytes);
}

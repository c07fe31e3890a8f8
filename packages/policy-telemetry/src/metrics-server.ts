/**
 * Answers scrapes. A port can be listened to once only, yet while a policy is upgraded the control parts of
 * the old and the new code exist at the same time, from two copies of this module. So the servers are known
 * to the whole process, and each answers with the newest of the attachment's control parts. While a daemon
 * is replaced, the same holds for two processes: the next one waits until the port is free.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { KoalaError, messageOf } from "@koala/interface";
import { type ListenAddress, readAddress } from "./config.ts";
import { contentTypes, formatFor, type TextFormat } from "./exposition.ts";

/** Makes the text of a scrape. */
export type MetricsSource = (format: TextFormat) => string;

export interface MetricsOptions {
  /** Name of the attachment. */
  readonly attachment: string;
  /** Name of the daemon. */
  readonly daemon: string;
  /** `host:port`. */
  readonly address: string;
  readonly source: MetricsSource;
  warn(message: string, fields: Record<string, string>): void;
}

/** A place where an attachment answers scrapes. */
export interface MetricsEndpoint {
  /** With the port that was chosen for port 0. */
  readonly address: string;
  close(): Promise<void>;
}

/** What other copies of this module see; it changes only together with the key below. */
interface SharedServer {
  readonly attachment: string;
  readonly server: Server;
  readonly sources: MetricsSource[];
  readonly ready: Promise<void>;
  /** Ends all that goes on in the background. */
  readonly end: () => Promise<void>;
}

const registryKey = Symbol.for("koala.telemetry.servers.1");
const connectionsMax = 64;
/** Tells the next daemon of this name that it is its port. */
const ownerHeader = "koala-metrics-of";
const probeMs = 1000;
const waitPauseMs = 50;

/** Begins to answer for an attachment. Throws when somebody else uses the address. */
export async function serveMetrics(options: MetricsOptions): Promise<MetricsEndpoint> {
  const { attachment, address, source } = options;
  const wanted = readAddress(address)!;
  const key = wanted.port === 0 ? `${address} ${attachment}` : address;
  const servers = registry();
  let shared = servers.get(key);
  if (shared !== undefined && shared.attachment !== attachment) {
    throw refusal(address, `the policy "${shared.attachment}" does it`);
  }
  if (shared === undefined) {
    shared = openServer(options, wanted);
    servers.set(key, shared);
  }
  const { server, sources, ready, end } = shared;
  sources.push(source);
  const leave = async (): Promise<void> => {
    const index = sources.indexOf(source);
    if (index < 0) return;
    sources.splice(index, 1);
    if (sources.length > 0) return;
    servers.delete(key);
    await end();
  };
  try {
    await ready;
  } catch (error) {
    await leave();
    throw error;
  }
  const { port } = (server.address() as AddressInfo | null) ?? wanted;
  return { address: address.replace(/\d+$/, String(port)), close: leave };
}

function registry(): Map<string, SharedServer> {
  const scope = globalThis as { [registryKey]?: Map<string, SharedServer> };
  scope[registryKey] ??= new Map();
  return scope[registryKey];
}

function openServer(options: MetricsOptions, wanted: ListenAddress): SharedServer {
  const { attachment, daemon, address } = options;
  const owner = encodeURIComponent(`${daemon}/${attachment}`);
  const sources: MetricsSource[] = [];
  const limits = { requestTimeout: 10_000, headersTimeout: 5000 };
  const server = createServer(limits, (request, response) => {
    response.setHeader(ownerHeader, owner);
    answer(request, response, sources.at(-1));
  });
  server.maxConnections = connectionsMax;
  const ending = new AbortController();
  let waiting: Promise<void> | undefined;
  const open = async (): Promise<void> => {
    const error = await listen(server, wanted);
    if (error === undefined) return;
    const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    if (!isTaken || (await ownerAt(wanted)) !== owner) {
      throw refusal(address, messageOf(error), error);
    }
    // The daemon that this one replaces: refusing would mean that it could never be replaced.
    options.warn("scrapes are answered by the daemon before this one until it leaves", { address });
    waiting = listenLater(server, wanted, ending.signal);
  };
  const end = async (): Promise<void> => {
    ending.abort();
    await waiting;
    await closed(server);
  };
  return { attachment, server, sources, ready: open(), end };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  source: MetricsSource | undefined,
): void {
  request.resume();
  const path = request.url?.split("?")[0];
  if (path !== "/metrics" || source === undefined) {
    refuse(response, 404, "The metrics are at /metrics.");
  } else if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    refuse(response, 405, "Use GET.");
  } else {
    const format = formatFor(request.headers.accept);
    const text = source(format);
    response.writeHead(200, {
      "Content-Type": contentTypes[format],
      "Content-Length": Buffer.byteLength(text),
    });
    response.end(request.method === "HEAD" ? undefined : text);
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

function refusal(address: string, reason: string, cause?: unknown): KoalaError {
  return new KoalaError(
    "ERR_TELEMETRY_LISTEN",
    `Scrapes can't be answered at ${address}: ${reason}. Give another address in "prometheus".`,
    { cause },
  );
}

/** Undefined once it listens. */
async function listen(server: Server, { host, port }: ListenAddress): Promise<unknown> {
  try {
    server.listen(port, host);
    await once(server, "listening");
    return undefined;
  } catch (error) {
    return error;
  }
}

async function listenLater(
  server: Server,
  address: ListenAddress,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await delay(waitPauseMs, undefined, { ref: false, signal }).catch(() => {});
    if (!signal.aborted && (await listen(server, address)) === undefined) return;
  }
}

/** Whose metrics are at the address; undefined when it is somebody who does not say so. */
async function ownerAt({ host, port }: ListenAddress): Promise<string | undefined> {
  const name = host.includes(":") ? `[${host}]` : host;
  try {
    const signal = AbortSignal.timeout(probeMs);
    const headers = { connection: "close" };
    const response = await fetch(`http://${name}:${port}/`, { signal, headers });
    await response.body?.cancel();
    return response.headers.get(ownerHeader) ?? undefined;
  } catch {
    return undefined; // whatever it is, it is no daemon
  }
}

function closed(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

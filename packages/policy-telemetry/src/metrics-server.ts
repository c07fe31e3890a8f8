/**
 * Answers scrapes. A port can be listened to once only, yet while a policy is upgraded the control parts of
 * the old and the new code exist at the same time, from two copies of this module. So the servers are known
 * to the whole process, and each answers with the newest of the attachment's control parts.
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

/** A place where an attachment answers scrapes. */
export interface MetricsEndpoint {
  /** With the port that was chosen for port 0. */
  readonly address: string;
  close(): Promise<void>;
}

/** What other copies of this module see; it changes only together with the key below. */
interface SharedServer {
  readonly owner: string;
  readonly ready: Promise<void>;
  readonly server: Server;
  readonly sources: MetricsSource[];
}

const registryKey = Symbol.for("koala.telemetry.servers.1");
const connectionsMax = 64;
/** A daemon that replaces another one waits so long for the other to let go of the port. */
const listenTries = 10;
const listenPauseMs = 100;

/** Begins to answer for an attachment. Throws when somebody else uses the address. */
export async function serveMetrics(
  attachment: string,
  address: string,
  source: MetricsSource,
): Promise<MetricsEndpoint> {
  const wanted = readAddress(address)!;
  const key = wanted.port === 0 ? `${address} ${attachment}` : address;
  const servers = registry();
  let shared = servers.get(key);
  if (shared !== undefined && shared.owner !== attachment) {
    throw new KoalaError(
      "ERR_TELEMETRY_LISTEN",
      `The policy "${attachment}" can't answer scrapes at ${address}: the policy "${shared.owner}" does. Give one of them another port.`,
    );
  }
  if (shared === undefined) {
    const sources: MetricsSource[] = [];
    const server = createMetricsServer(sources);
    shared = { owner: attachment, ready: listen(server, wanted, address), server, sources };
    servers.set(key, shared);
  }
  const { server, sources, ready } = shared;
  sources.push(source);
  const leave = async (): Promise<void> => {
    const index = sources.indexOf(source);
    if (index < 0) return;
    sources.splice(index, 1);
    if (sources.length > 0) return;
    servers.delete(key);
    await closed(server);
  };
  try {
    await ready;
  } catch (error) {
    await leave();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return { address: address.replace(/\d+$/, String(port)), close: leave };
}

function registry(): Map<string, SharedServer> {
  const scope = globalThis as { [registryKey]?: Map<string, SharedServer> };
  scope[registryKey] ??= new Map();
  return scope[registryKey];
}

function createMetricsServer(sources: readonly MetricsSource[]): Server {
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5000 },
    (request, response) => answer(request, response, sources.at(-1)),
  );
  server.maxConnections = connectionsMax;
  return server;
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

async function listen(
  server: Server,
  { host, port }: ListenAddress,
  address: string,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      server.listen(port, host);
      await once(server, "listening");
      return;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isTaken || attempt === listenTries) {
        throw new KoalaError(
          "ERR_TELEMETRY_LISTEN",
          `Scrapes can't be answered at ${address}: ${messageOf(error)}. Give another address in "prometheus".`,
          { cause: error },
        );
      }
      await delay(listenPauseMs);
    }
  }
}

function closed(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/**
 * Who answers what at the admin socket. Each part of the daemon adds its routes here; the registry finds
 * the one that is asked for, checks body and query, and turns errors into refusals. Knows nothing of
 * sockets.
 */
import { KoalaError, messageOf } from "@koala/interface";
import type { PeerCredentials } from "@koala/native";
import type { AdminRefusal } from "@koala/protocol";
import type { z } from "zod";
import { bodyProblem, printable } from "./admin-body.ts";
import type { AdminStream } from "./admin-stream.ts";

/** One request at a route. */
export interface AdminRequest<Body = undefined> {
  readonly query: URLSearchParams;
  /** Checked; undefined for GET. */
  readonly body: Body;
  /** Who asks, by the kernel's word. */
  readonly peer: PeerCredentials;
}

/** What a handler returns: an object that becomes the body, or a stream of lines. */
export type AdminResult = object | AdminStream;

/** One thing to ask for, or to have done. */
export interface AdminRoute<Body = undefined> {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** What a body has to be; for POST. */
  readonly body?: z.ZodType<Body>;
  /** Parameters that it knows; others are refused. */
  readonly query?: readonly string[];
  /** How long it may take, with reading the request; default 10 s for GET, 60 s for POST. */
  readonly limitMs?: number;
  /** May throw: see `AdminRefused`. */
  handle(request: AdminRequest<Body>): AdminResult | Promise<AdminResult>;
}

/**
 * What a handler throws to refuse with a status of HTTP. A `KoalaError` is fine, too: it becomes status
 * 422 with its code and message. Anything else becomes `500 ERR_ADMIN_FAILED`, and a line in the log.
 */
export class AdminRefused extends KoalaError {
  readonly httpStatus: number;

  constructor(httpStatus: number, code: string, message: string) {
    super(code, message);
    this.httpStatus = httpStatus;
  }
}

/** Status of HTTP and the object that becomes the body. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: object;
  /** Instead of the body. */
  readonly stream?: AdminStream;
  /** Methods of the path, for status 405. */
  readonly allow?: string;
  /** What to write into the log: a handler has failed in a way that nobody foresaw. */
  readonly bug?: unknown;
}

/** What a request comes with; `target` is what stands in the request line. */
export interface AdminQuestion {
  readonly method: string;
  readonly target: string;
  readonly body: Buffer;
  readonly peer: PeerCredentials;
}

/** A route and the checked address of a request; or the refusal. */
export type FoundRoute =
  | { readonly route: AdminRoute<unknown>; readonly url: URL; readonly no?: undefined }
  | { readonly no: AdminAnswer };

/** See the file's comment. */
export class AdminRegistry {
  private readonly routes = new Map<string, AdminRoute<unknown>>();

  /** Adds a route; two at one place are a bug. */
  add<Body = undefined>(route: AdminRoute<Body>): void {
    const key = `${route.method} ${route.path}`;
    if (this.routes.has(key)) throw new Error(`two routes at ${key}`);
    // The body that `handle` gets is what the route's own schema has let through.
    this.routes.set(key, route as unknown as AdminRoute<unknown>);
  }

  /** The route of a request, before its body is read. */
  find(method: string, target: string): FoundRoute {
    const url = URL.canParse(target, "http://admin") ? new URL(target, "http://admin") : undefined;
    const here = [...this.routes.values()].filter(({ path }) => path === url?.pathname);
    if (url === undefined || here.length === 0) {
      const paths = [...new Set([...this.routes.values()].map(({ path }) => path))].join(", ");
      const text = `there is no ${printable(target)} here; there are: ${paths}`;
      return { no: refusal(404, "ERR_ADMIN_PATH", text) };
    }
    const route = here.find((known) => known.method === method);
    if (route === undefined) {
      const allow = here.map((known) => known.method).join(", ");
      const text = `${printable(method)} ${url.pathname}: use ${allow}`;
      return { no: { ...refusal(405, "ERR_ADMIN_METHOD", text), allow } };
    }
    const unknown = [...url.searchParams.keys()].find((key) => !route.query?.includes(key));
    if (unknown !== undefined) {
      const known = route.query === undefined ? "none" : route.query.join(", ");
      const text = `${route.path} does not know the parameter ${printable(unknown)}; it knows: ${known}`;
      return { no: refusal(400, "ERR_ADMIN_QUERY", text) };
    }
    return { route, url };
  }

  /** Finds the route and answers. Never rejects. */
  async answer(question: AdminQuestion): Promise<AdminAnswer> {
    const found = this.find(question.method, question.target);
    return found.no ?? (await answerAt(found.route, found.url, question));
  }
}

/** Checks the body and asks the handler. Never rejects. */
export async function answerAt(
  route: AdminRoute<unknown>,
  url: URL,
  { body: bytes, peer }: Pick<AdminQuestion, "body" | "peer">,
): Promise<AdminAnswer> {
  const checked = route.body === undefined ? noBody(bytes) : bodyProblem(route.body, bytes);
  if (checked.problem !== undefined) {
    const text = `${route.method} ${route.path}: ${checked.problem}`;
    return refusal(400, "ERR_ADMIN_BODY", text);
  }
  try {
    const result = await route.handle({ query: url.searchParams, body: checked.value, peer });
    if (isStream(result)) return { status: 200, body: {}, stream: result };
    return { status: 200, body: result };
  } catch (error) {
    if (error instanceof KoalaError) return refusal(statusOf(error), error.code, error.message);
    const text = `${route.path} failed in a way that nobody foresaw: ${messageOf(error)}; look into the daemon's log`;
    return { ...refusal(500, "ERR_ADMIN_FAILED", text), bug: error };
  }
}

/** `instanceof` goes by a brand that all errors of the project share, so it can't tell them apart. */
function statusOf(error: KoalaError): number {
  return "httpStatus" in error && typeof error.httpStatus === "number" ? error.httpStatus : 422;
}

/** An answer that says no. */
export function refusal(status: number, code: string, message: string): AdminAnswer {
  const body: AdminRefusal = { code, message };
  return { status, body };
}

function noBody(bytes: Buffer): { value?: undefined; problem?: string } {
  return bytes.length === 0 ? {} : { problem: "a request here has no body; leave it out" };
}

function isStream(result: AdminResult): result is AdminStream {
  return "nextLine" in result && typeof result.nextLine === "function";
}

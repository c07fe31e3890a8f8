/** What browsers ask before, and want to see beside, calls of a page that comes from elsewhere. */
import type { OutgoingHttpHeaders } from "node:http";
import type { Exchange } from "../http/exchange.ts";

/** Headers that pages may read besides those that all may. */
const exposed =
  "grpc-status, grpc-message, grpc-status-details-bin, connect-accept-encoding, connect-content-encoding, koala-origin";
const maxAgeSeconds = 7200;

/** Whether calls of a page of this origin are taken; `*` stands for all. */
function isAllowed(origin: string, origins: readonly string[]): boolean {
  return origins.includes("*") || origins.includes(origin);
}

/** Headers for a response to a page of an origin that is allowed; none for all others. */
export function corsHeaders(exchange: Exchange, origins: readonly string[]): OutgoingHttpHeaders {
  const { origin } = exchange.headers;
  if (typeof origin !== "string" || !isAllowed(origin, origins)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": exposed,
    vary: "origin",
  };
}

/** Answers the question of a browser whether it may call. */
export function answerPreflight(exchange: Exchange, origins: readonly string[]): void {
  const headers = corsHeaders(exchange, origins);
  if (Object.keys(headers).length === 0) {
    exchange.respond(403, {});
    exchange.end();
    return;
  }
  const wanted = exchange.headers["access-control-request-headers"];
  exchange.respond(204, {
    ...headers,
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": typeof wanted === "string" ? wanted : "content-type",
    "access-control-max-age": String(maxAgeSeconds),
  });
  exchange.end();
}

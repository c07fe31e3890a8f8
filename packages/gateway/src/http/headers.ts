/** Between the headers of HTTP and the metadata of calls. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { Status } from "@koala/interface";
import { type MetadataEntry, RpcError } from "@koala/mrpc";
import { peerKey, peerNameKey } from "./caller.ts";

/** Headers that are HTTP's, or a protocol's own, in requests. Those that begin with a colon are none of them either. */
const ofRequests: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-grpc-web",
  "koala-target",
  // Who calls says the gateway, not the caller.
  peerKey,
  peerNameKey,
]);

/** The same in responses. */
const ofResponses: ReadonlySet<string> = new Set([
  ...ofRequests,
  "date",
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
]);

const keyPattern = /^[0-9a-z_.-]{1,128}$/;
const base64Pattern = /^[A-Za-z0-9+/_-]*={0,2}$/;
/** Visible characters of ASCII and spaces. */
const valuePattern = /^[\x20-\x7e]*$/;

function isReserved(key: string): boolean {
  return ofRequests.has(key) || key.startsWith("grpc-") || key.startsWith("connect-");
}

/** What the headers of a request say to the handler. Throws an `RpcError` for a `-bin` value that is no base64. */
export function metadataOf(headers: IncomingHttpHeaders): MetadataEntry[] {
  const entries: MetadataEntry[] = [];
  for (const key of Object.keys(headers)) {
    if (isReserved(key) || !keyPattern.test(key)) continue;
    const value = headers[key];
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) addEntries(entries, key, one);
  }
  return entries;
}

/** Adds the values of one header; several values of a `-bin` name have commas between them. */
export function addEntries(entries: MetadataEntry[], key: string, value: string): void {
  if (!key.endsWith("-bin")) {
    // Bytes beyond ASCII come as characters of Latin-1; most who send them mean UTF-8.
    entries.push([key, valuePattern.test(value) ? value : Buffer.from(value, "latin1").toString()]);
    return;
  }
  for (const part of value.split(",")) {
    const text = part.trim();
    if (!base64Pattern.test(text)) {
      const found = JSON.stringify(text.slice(0, 40));
      const reason = `the header ${key}: expected base64, found ${found}`;
      throw new RpcError(Status.INVALID_ARGUMENT, reason, { origin: "app" });
    }
    entries.push([key, Buffer.from(text, "base64")]);
  }
}

/** Metadata of a response as headers or trailers; what HTTP or the protocol says itself is left out. */
export function headersFrom(
  entries: readonly MetadataEntry[],
  prefix: string = "",
): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (const [key, value] of entries) {
    if (ofResponses.has(key) || key.startsWith("grpc-") || key.startsWith(":")) continue;
    const text = textOf(value);
    const name = prefix + key;
    const known = headers[name];
    if (known === undefined) headers[name] = text;
    else if (Array.isArray(known)) known.push(text);
    else headers[name] = [known, text];
  }
  return headers;
}

/** A value as a header can carry it. */
export function textOf(value: string | Uint8Array): string {
  if (typeof value !== "string") return Buffer.from(value).toString("base64").replaceAll("=", "");
  return valuePattern.test(value) ? value : encodeURIComponent(Buffer.from(value).toString());
}

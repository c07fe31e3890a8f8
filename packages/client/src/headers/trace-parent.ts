/** W3C trace context: the text of its header, and the 32 bytes that slots and frames carry. */
import { TRACE_BYTES } from "@koala/protocol";

/** The header `traceparent` for the context at `start`. */
export function formatTrace(bytes: Uint8Array, start: number): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset + start, 25).toString("hex");
  return `00-${hex.slice(0, 32)}-${hex.slice(32, 48)}-${hex.slice(48)}`;
}

/** The context that a header `traceparent` names; undefined when it is malformed, which means: none. */
export function parseTrace(text: string): Uint8Array | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = match;
  // Version 00 ends here, later ones may say more, and ff is none.
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const bytes = new Uint8Array(TRACE_BYTES);
  bytes.set(Buffer.from(traceId + spanId + flags, "hex"));
  return bytes;
}

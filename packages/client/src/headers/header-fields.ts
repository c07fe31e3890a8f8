/**
 * `Headers`, as users know them, over the entries that calls carry. Entries keep the bytes of `-bin` keys as
 * they are; in `Headers` they are base64, as gRPC and Connect write them.
 */
import {
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { Status } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";
import { completerFor } from "../calls/message-init.ts";
import { RpcError } from "../errors/rpc-error.ts";

/** What `new Headers()` takes. */
export type HeadersInit = ConstructorParameters<typeof Headers>[0];

/** Base64 without padding, for the value of a header whose name ends in `-bin`: of bytes, UTF-8 or a message. */
export function encodeBinaryHeader(value: Uint8Array | ArrayBufferLike | string): string;
export function encodeBinaryHeader<Desc extends DescMessage>(
  value: MessageInitShape<Desc>,
  desc: Desc,
): string;
export function encodeBinaryHeader(value: unknown, desc?: DescMessage): string {
  return base64Encode(bytesOf(value, desc), "std_raw");
}

/** The bytes, or the message, of a header whose name ends in `-bin`. Throws an `RpcError` for anything else. */
export function decodeBinaryHeader(value: string): Uint8Array;
export function decodeBinaryHeader<Desc extends DescMessage>(
  value: string,
  desc: Desc,
): MessageShape<Desc>;
export function decodeBinaryHeader(value: string, desc?: DescMessage): unknown {
  try {
    const bytes = base64Decode(value);
    return desc === undefined ? bytes : fromBinary(desc, bytes);
  } catch (cause) {
    throw new RpcError(
      Status.INVALID_ARGUMENT,
      `a binary header: expected base64${desc === undefined ? "" : ` of a message ${desc.typeName}`}, found ${JSON.stringify(value.slice(0, 40))}`,
      { cause },
    );
  }
}

function bytesOf(value: unknown, desc: DescMessage | undefined): Uint8Array {
  if (desc !== undefined)
    return toBinary(desc, completerFor(desc)(value) as MessageShape<DescMessage>);
  if (typeof value === "string") return new TextEncoder().encode(value);
  return value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBufferLike);
}

/** Headers as entries. Throws an `RpcError` for a `-bin` value that is no base64. */
export function entriesOf(headers: Headers): MetadataEntry[] {
  const entries: MetadataEntry[] = [];
  for (const [key, value] of headers) {
    if (!key.endsWith("-bin")) entries.push([key, value]);
    // Several values of a name are one, with commas between them.
    else for (const part of value.split(",")) entries.push([key, decodeBinaryHeader(part.trim())]);
  }
  return entries;
}

/** What `new Headers()` takes, as entries. Throws an `RpcError` for what it refuses. */
export function entriesOfInit(init: HeadersInit): MetadataEntry[] {
  let headers: Headers;
  try {
    headers = init instanceof Headers ? init : new Headers(init);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RpcError(Status.INVALID_ARGUMENT, `headers: ${reason}`, { cause });
  }
  return entriesOf(headers);
}

/**
 * Entries as headers. Values with characters that no header of HTTP can have are percent-encoded, as
 * `encodeURIComponent` does it.
 */
export function headersOf(entries: readonly MetadataEntry[]): Headers {
  const headers = new Headers();
  for (const [key, value] of entries) {
    if (typeof value !== "string") headers.append(key, encodeBinaryHeader(value));
    else headers.append(key, isHeaderValue(value) ? value : percentEncode(value));
  }
  return headers;
}

/** A lone half of a surrogate pair, which has no encoding, becomes U+FFFD. */
function percentEncode(value: string): string {
  return encodeURIComponent(Buffer.from(value).toString());
}

/** Visible characters of Latin-1, tabs and spaces. */
function isHeaderValue(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

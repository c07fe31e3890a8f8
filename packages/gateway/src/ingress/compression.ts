/** Compression of messages: gzip, by Node's zlib in its own threads. */
import { promisify } from "node:util";
import { gunzip as gunzipCallback, gzip as gzipCallback } from "node:zlib";
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";

const gunzip = promisify(gunzipCallback);
const gzip = promisify(gzipCallback);

/** What is said to be understood. */
export const acceptedEncodings = "gzip";
/** Smaller messages go as they are: compressing them makes them longer. */
export const compressBytesMin = 1024;

/** The encodings that there are. */
export type Encoding = "identity" | "gzip";

/** The encoding that a header names. Throws UNIMPLEMENTED for one that is not known, which names those that are. */
export function encodingFrom(text: string | undefined): Encoding {
  if (text === undefined || text === "" || text === "identity") return "identity";
  if (text === "gzip") return "gzip";
  throw new RpcError(
    Status.UNIMPLEMENTED,
    `compression ${JSON.stringify(text.slice(0, 40))} is not known here; expected identity or ${acceptedEncodings}`,
  );
}

/** Whether a list of encodings, as headers have it, has gzip. */
export function acceptsGzip(list: string | string[] | undefined): boolean {
  if (list === undefined) return false;
  const text = Array.isArray(list) ? list.join(",") : list;
  return text
    .split(",")
    .some((item) => /^\s*gzip\s*(;.*)?$/.test(item) && !/q=0(\.0*)?\s*$/.test(item));
}

/** Unpacks a message, up to `bytesMax`; `malformed` is the status for what can't be unpacked. */
export async function decompress(
  bytes: Uint8Array,
  bytesMax: number,
  malformed: Status,
): Promise<Uint8Array> {
  try {
    return await gunzip(bytes, { maxOutputLength: Math.max(1, bytesMax) });
  } catch (cause) {
    // What else may be wrong is a plain Error.
    if (cause instanceof RangeError) throw tooLarge("more than", bytesMax, bytesMax);
    throw new RpcError(malformed, "a message that is said to be gzip is not", { cause });
  }
}

/** Packs a message. */
export function compress(bytes: Uint8Array): Promise<Uint8Array> {
  return gzip(bytes);
}

/** The error for a message above the limit, which names the setting. */
export function tooLarge(what: string, bytes: number, bytesMax: number): RpcError {
  return new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `a message of ${what === "" ? "" : `${what} `}${bytes} bytes is over the limit of ${bytesMax}; raise message in [limits] of koala.toml`,
    { origin: "local-daemon", retryable: false },
  );
}

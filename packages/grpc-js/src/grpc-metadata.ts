/** Metadata of grpc-js from and to the entries that calls carry. */
import { Metadata } from "@grpc/grpc-js";
import type { MetadataEntry } from "@koala/mrpc";

/** Where gRPC's libraries put an encoded `google.rpc.Status`. In the mesh it is a part of the status. */
export const detailsKey = "grpc-status-details-bin";

/** The entries, in order; a copy, so that later changes of the metadata do not matter. */
export function entriesOfMetadata(metadata: Metadata): MetadataEntry[] {
  const entries: MetadataEntry[] = [];
  for (const [key, values] of Object.entries(metadata.toJSON())) {
    // Pseudo-headers are HTTP/2's own.
    if (key.startsWith(":")) continue;
    for (const value of values) entries.push([key, value]);
  }
  return entries;
}

/**
 * The metadata of entries. Values with characters that grpc-js refuses are percent-encoded, as in the `Headers`
 * of `@koala/mrpc`.
 */
export function metadataOfEntries(entries: readonly MetadataEntry[]): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of entries) {
    if (typeof value !== "string") metadata.add(key, bufferOf(value));
    else metadata.add(key, isPlain(value) ? value : percentEncode(value));
  }
  return metadata;
}

/** The same bytes as a `Buffer`, which grpc-js asks for. */
export function bufferOf(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isPlain(value: string): boolean {
  return /^[ -~]*$/.test(value);
}

/** A lone half of a surrogate pair, which has no encoding, becomes U+FFFD. */
function percentEncode(value: string): string {
  return encodeURIComponent(Buffer.from(value).toString());
}

/**
 * Metadata (headers and trailers) as bytes, the same in blocks and in frames:
 * entry after entry of `u16 key length, u16 zero, u32 value length, key, value`, unpadded.
 * Keys are lower-case ASCII as in gRPC; values are UTF-8, or raw bytes when the key ends in `-bin`.
 */

export type MetadataEntry = readonly [key: string, value: string | Uint8Array];

const ENTRY_HEADER_BYTES = 8;
const keyPattern = /^[0-9a-z_.-]{1,128}$/;
const encoder = new TextEncoder();
// A byte order mark at the start of a value is a part of the value.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The encoded entries; throws a RangeError that names the key that is no good. */
export function encodeMetadata(entries: readonly MetadataEntry[]): Uint8Array {
  const parts = entries.map(([key, value]) => {
    if (!keyPattern.test(key)) {
      throw new RangeError(
        `metadata key ${JSON.stringify(key)}: expected 1 to 128 of a-z 0-9 . _ - (lower case)`,
      );
    }
    const binary = key.endsWith("-bin");
    if (binary !== value instanceof Uint8Array) {
      throw new RangeError(
        `metadata ${key}: expected ${binary ? "a Uint8Array" : "a string"}; only keys that end in "-bin" carry bytes`,
      );
    }
    return {
      key: encoder.encode(key),
      value: typeof value === "string" ? encoder.encode(value) : value,
    };
  });
  const bytes = new Uint8Array(
    parts.reduce((sum, p) => sum + ENTRY_HEADER_BYTES + p.key.length + p.value.length, 0),
  );
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { key, value } of parts) {
    view.setUint16(at, key.length, true);
    view.setUint32(at + 4, value.length, true);
    bytes.set(key, at + ENTRY_HEADER_BYTES);
    bytes.set(value, at + ENTRY_HEADER_BYTES + key.length);
    at += ENTRY_HEADER_BYTES + key.length + value.length;
  }
  return bytes;
}

/** The entries; undefined when the bytes are not well formed. Bytes are copied out. */
export function decodeMetadata(bytes: Uint8Array): MetadataEntry[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: MetadataEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < ENTRY_HEADER_BYTES) return undefined;
    const keyLength = view.getUint16(at, true);
    const valueLength = view.getUint32(at + 4, true);
    const start = at + ENTRY_HEADER_BYTES;
    if (valueLength > bytes.length || start + keyLength + valueLength > bytes.length)
      return undefined;
    const key = decoder.decode(bytes.subarray(start, start + keyLength));
    if (!keyPattern.test(key)) return undefined;
    const value = bytes.slice(start + keyLength, start + keyLength + valueLength);
    entries.push([key, key.endsWith("-bin") ? value : decoder.decode(value)]);
    at = start + keyLength + valueLength;
  }
  return entries;
}

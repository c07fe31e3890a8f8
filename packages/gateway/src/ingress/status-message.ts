/** `grpc-message`: UTF-8, percent-encoded where a header of HTTP can't carry it. */

/** Encodes everything but the visible characters of ASCII and the space; the percent sign too. */
export function encodeStatusMessage(message: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(message)) return message;
  let text = "";
  for (const byte of Buffer.from(message)) {
    text +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** Decodes; what is no encoding stays as it is, because half a message is better than none. */
export function decodeStatusMessage(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  const source = Buffer.from(text);
  for (let at = 0; at < source.length; at++) {
    const code = source.toString("latin1", at + 1, at + 3);
    if (source[at] === 0x25 && /^[0-9A-Fa-f]{2}$/.test(code)) {
      bytes.push(Number.parseInt(code, 16));
      at += 2;
    } else bytes.push(source[at]!);
  }
  return Buffer.from(bytes).toString();
}

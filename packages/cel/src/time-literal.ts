/** The texts of timestamps (RFC 3339) and durations (`1h30m`, `-1.5s`), in nanoseconds. */

const timestamp =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** Nanoseconds of the years 1 and 9999. */
export const timestampMin: bigint = -62_135_596_800_000_000_000n;
export const timestampMax: bigint = 253_402_300_799_999_999_999n;

export function timestampFrom(text: string): bigint | undefined {
  const match = timestamp.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", zone] = match;
  const whole = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const millis = Date.parse(`${whole}Z`);
  // Dates that there are not, such as a 30th of February, come back as others.
  if (Number.isNaN(millis) || !new Date(millis).toISOString().startsWith(whole)) return undefined;
  const offset = offsetMinutes(zone!);
  if (offset === undefined) return undefined;
  const nanos = BigInt(fraction.padEnd(9, "0"));
  const total = BigInt(millis - offset * 60_000) * 1_000_000n + nanos;
  return total < timestampMin || total > timestampMax ? undefined : total;
}

function offsetMinutes(zone: string): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

const unitNanos: Record<string, bigint> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n,
};

const part = /(\d{1,18})(?:\.(\d{1,18}))?(h|ms|m|us|s|ns)/y;

export function durationFrom(text: string): bigint | undefined {
  const isNegative = text.startsWith("-");
  let at = isNegative ? 1 : 0;
  if (text.slice(at) === "0") return 0n;
  let total = 0n;
  do {
    part.lastIndex = at;
    const match = part.exec(text);
    if (match === null) return undefined;
    const [, whole, fraction = "", unit] = match;
    const nanos = unitNanos[unit!]!;
    total += BigInt(whole!) * nanos;
    if (fraction !== "") total += (BigInt(fraction) * nanos) / 10n ** BigInt(fraction.length);
    at = part.lastIndex;
  } while (at < text.length);
  if (total >= 2n ** 63n) return undefined;
  return isNegative ? -total : total;
}

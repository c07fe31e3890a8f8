/** Numbers as people read them, and durations as they write them. */

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `4.0 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${byteUnits[unit]}`;
}

const daySeconds = 86_400;

/** `3d 4h`, `2h 5m`, `5m 3s`, `3s`: the two largest units. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / daySeconds), "d"],
    [Math.floor((seconds % daySeconds) / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0s";
  const shown = parts.slice(first, first + 2);
  return shown
    .filter(([count], index) => index === 0 || count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(" ");
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `500ms`, `1.5s`, `2m`, `1h`; undefined for what is no such time. */
export function parseDuration(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (found === null) return undefined;
  const ms = Number(found[1]) * unitMs[found[2]!]!;
  return ms > 0 && ms <= 0x7fffffff ? ms : undefined;
}

/** `12 µs`, `3.4 ms`, `1.20 s`. */
export function formatMicros(micros: number): string {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  return micros < 1e6 ? `${(micros / 1000).toFixed(1)} ms` : `${(micros / 1e6).toFixed(2)} s`;
}

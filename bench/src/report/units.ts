/** Numbers as persons read them. The unit is in the end of the name: `p50Us`, `bytesPerSecond`, `bytes`. */
import { formatDigits } from "../figures/table.ts";

type Format = (value: number) => string;

/** By what the name of a figure or parameter ends with; the first that matches. */
const byEnding: readonly (readonly [RegExp, Format])[] = [
  [/bytesPer(Milli)?Second$/i, (value) => `${decimal(value)}B/s`],
  [/bytes(Each)?$/i, formatBytes],
  [/(?:^u|U)s(Each)?$/, formatMicros],
  [/micros(Per[A-Z]\w*)?$/i, formatMicros],
  [/Ms(Each|Per[A-Z]\w*)?$/, (value) => formatMicros(value * 1000)],
  [/Ns(Each)?$/, (value) => formatMicros(value / 1000)],
  [/seconds(Per[A-Z]\w*)?$/i, (value) => formatMicros(value * 1e6)],
  [/share$/i, (value) => `${formatDigits(value * 100)} %`],
];

/** Whether it counts bytes, of which 1,024 are a kB. */
export function isBytes(name: string): boolean {
  return /bytes(Each)?$/i.test(name);
}

/** A figure or a parameter with its unit. */
export function formatFigure(name: string, value: number): string {
  if (value === 0) return "0";
  if (value < 0) return `-${formatFigure(name, -value)}`;
  for (const [ending, format] of byEnding) {
    if (!/PerSecond$/.test(name) || ending.source.startsWith("bytesPer")) {
      if (ending.test(name)) return format(value);
    }
  }
  return Number.isInteger(value) && value < 1e6 ? value.toLocaleString("en") : formatDigits(value);
}

/** The same for an axis: as short as it can be, since ticks are round. */
export function formatTick(name: string, value: number): string {
  const isPlain = !byEnding.some(([ending]) => ending.test(name)) || /^calls/.test(name);
  const text = isPlain && value >= 1e4 ? decimal(value).trimEnd() : formatFigure(name, value);
  return text.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

function formatMicros(micros: number): string {
  if (micros < 1) return `${formatDigits(micros * 1000)} ns`;
  if (micros < 1000) return `${formatDigits(micros)} µs`;
  return micros < 1e6 ? `${formatDigits(micros / 1000)} ms` : `${formatDigits(micros / 1e6)} s`;
}

/** Powers of 1024, since sizes are; 64 B, 1 kB, 1 MB. */
function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ["GB", 2 ** 30],
    ["MB", 2 ** 20],
    ["kB", 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${short(bytes / size)} ${unit}`;
  }
  return `${short(bytes)} B`;
}

function decimal(value: number): string {
  if (value >= 1e9) return `${short(value / 1e9)} G`;
  if (value >= 1e6) return `${short(value / 1e6)} M`;
  return value >= 1e3 ? `${short(value / 1e3)} k` : `${short(value)} `;
}

function short(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString("en") : formatDigits(value);
}

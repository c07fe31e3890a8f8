/** Results as a person reads them. */
import type { Result } from "./result.ts";

const headings: readonly string[] = [
  "",
  "p50",
  "p99",
  "calls/s",
  "MB/s",
  "daemon CPU",
  "to grpc-js",
  "to floor",
  "to plain",
  "p99 to plain",
  "to target",
  "hog calls/s",
  "pause",
  "failed",
  "to protobuf-es",
  "daemon PSS",
  "daemon each",
  "app each",
  "kernel each",
  "fds each",
  "maps each",
  "attach",
];

const missing = "-";

/** A line a system; columns in which no system has a figure are left out. */
export function renderTable(results: readonly Result[]): string {
  const rows = results.map(rowOf);
  const isUsed = (column: number) => rows.some((row) => row[column] !== missing);
  const cells = [headings, ...rows].map((row) => row.filter((_, column) => isUsed(column)));
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]! + 3),
        )
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

function rowOf(result: Result): string[] {
  const { daemonCpuSeconds, measuredSeconds } = result;
  return [
    result.system,
    shown(result.p50Us, formatMicros),
    shown(result.p99Us, formatMicros),
    shown(result.callsPerSecond, (value) => Math.round(value).toLocaleString("en")),
    shown(result.bytesPerSecond, (value) => formatDigits(value / 1e6)),
    shown(daemonCpuSeconds, (value) => `${Math.round((100 * value) / measuredSeconds)} %`),
    shown(result.ratioToGrpcJs, (value) => `${formatDigits(value)} x`),
    shown(result.ratioToFloor, (value) => `${formatDigits(value)} x`),
    shown(result.ratioToPlain, (value) => `${value.toFixed(3)} x`),
    shown(result.p99RatioToPlain, (value) => `${formatDigits(value)} x`),
    shown(result.ratioToTarget, (value) => `${value.toFixed(4)} x`),
    shown(result.hogCallsPerSecond, (value) => value.toLocaleString("en")),
    shown(result.pauseUs ?? null, formatMicros),
    shown(result.failedCalls ?? null, String),
    shown(result.ratioToProtobufEs, (value) => `${formatDigits(value)} x`),
    ...memoryCells(result),
  ];
}

function memoryCells({ memory }: Result): string[] {
  const kilobytes = (value: number) => `${formatDigits(value / 1024)} kB`;
  return [
    shown(memory?.daemonPssBytes ?? null, (value) => `${formatDigits(value / 2 ** 20)} MB`),
    shown(memory?.daemonBytesEach ?? null, kilobytes),
    shown(memory?.appBytesEach ?? null, kilobytes),
    shown(memory?.kernelBytesEach ?? null, kilobytes),
    shown(memory?.descriptorsEach ?? null, String),
    shown(memory?.mappingsEach ?? null, String),
    shown(memory?.attachMsEach ?? null, (value) => `${formatDigits(value)} ms`),
  ];
}

function shown(value: number | null, format: (value: number) => string): string {
  return value === null ? missing : format(value);
}

/** Three digits that count: 123, 12.3, 1.23, 0.123. */
export function formatDigits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

function formatMicros(micros: number): string {
  if (micros >= 10_000) return `${(micros / 1000).toFixed(1)} ms`;
  return `${micros >= 100 ? Math.round(micros) : micros.toFixed(1)} µs`;
}

/** `koalactl top` for people: three tables. */
import { formatBytes, formatMicros } from "./quantity.ts";
import { type Column, formatTable, type Paint, printable } from "./table.ts";
import type { AppRate, Latency, Rates, RuntimeRate, ServiceRate } from "./top-rates.ts";

const latencyColumns: readonly Column<Latency>[] = [
  { title: "P50*", cell: ({ p50Micros }) => (p50Micros === null ? "-" : formatMicros(p50Micros)) },
  { title: "P99*", cell: ({ p99Micros }) => (p99Micros === null ? "-" : formatMicros(p99Micros)) },
];

const serviceColumns: readonly Column<ServiceRate>[] = [
  { title: "SERVICE", cell: (row) => row.service },
  { title: "NAME", cell: (row) => row.target },
  { title: "CALLS/S", cell: (row) => row.callsPerSecond },
  ...latencyColumns,
  {
    title: "ERRORS/S",
    cell: (row) => row.errorsPerSecond,
    tone: (row) => (row.errorsPerSecond > 0 ? "bad" : "plain"),
  },
  { title: "TRAFFIC/S", cell: (row) => formatBytes(Math.round(row.bytesPerSecond)) },
  { title: "OPEN", cell: (row) => row.open },
];

const appColumns: readonly Column<AppRate>[] = [
  { title: "APP", cell: (row) => row.name },
  { title: "PID", cell: (row) => row.pid },
  { title: "RUNTIME", cell: (row) => row.runtime },
  { title: "MADE/S", cell: (row) => row.madePerSecond },
  { title: "SERVED/S", cell: (row) => row.servedPerSecond },
  ...latencyColumns,
  {
    title: "ERRORS/S",
    cell: (row) => row.errorsPerSecond,
    tone: (row) => (row.errorsPerSecond > 0 ? "bad" : "plain"),
  },
  { title: "TRAFFIC/S", cell: (row) => formatBytes(Math.round(row.bytesPerSecond)) },
  { title: "OPEN", cell: (row) => row.open },
  { title: "SHARED", cell: (row) => formatBytes(row.sharedBytes) },
];

const runtimeColumns: readonly Column<RuntimeRate>[] = [
  { title: "RUNTIME", cell: (row) => row.runtime },
  { title: "CPU", cell: (row) => `${Math.round(row.cpu * 100)} %` },
  { title: "LOAD", cell: (row) => `${Math.round(row.load * 100)} %` },
  { title: "APPS", cell: (row) => row.apps },
  { title: "OPEN", cell: (row) => row.open },
];

/** The lines to print, at most so many rows of each table. */
export function formatTop(rates: Rates, paint: Paint, rowsMax: number): string[] {
  const { services, apps, runtimes, overMs } = rates;
  const table = <Row>(columns: readonly Column<Row>[], rows: readonly Row[], none: string) => {
    if (rows.length === 0) return [paint("faint", none)];
    const lines = formatTable(columns, rows.slice(0, rowsMax), paint);
    const left = rows.length - rowsMax;
    return left > 0 ? [...lines, paint("faint", `and ${left} more`)] : lines;
  };
  return [
    ...table(serviceColumns, services, "nobody has a client"),
    "",
    ...table(appColumns, apps, "no apps are attached"),
    "",
    ...table(runtimeColumns, runtimes, "no runtimes"),
    "",
    paint("faint", printable(`over ${(overMs / 1000).toFixed(1)} s; * of sampled calls`)),
  ];
}

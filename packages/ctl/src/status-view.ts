/** `koalactl status` for people. */
import type { ClosureStatus, DaemonStatus, GatewayStatus, RuntimeStatus } from "@koala/protocol";
import { formatBytes, formatDuration } from "./quantity.ts";
import { type Column, formatTable, type Paint, printable } from "./table.ts";

const columns: readonly Column<RuntimeStatus>[] = [
  { title: "RUNTIME", cell: (row) => row.index },
  { title: "APPS", cell: (row) => row.apps.length },
  { title: "LINKS", cell: (row) => row.links.length },
  { title: "BINDINGS", cell: (row) => row.bindings.length },
  { title: "OPEN CALLS", cell: (row) => row.openCalls },
  { title: "CPU", cell: (row) => `${row.cpuSeconds.toFixed(2)} s` },
  { title: "ROUNDS", cell: (row) => row.rounds },
  { title: "SLEEPS", cell: (row) => row.sleeps },
  { title: "SPINS", cell: (row) => row.spins },
  { title: "OF USE", cell: (row) => row.spinHits },
];

const closureColumns: readonly Column<ClosureStatus>[] = [
  { title: "CLOSED", cell: (row) => row.at },
  { title: "KIND", cell: (row) => row.kind },
  { title: "WHO", cell: (row) => row.who },
  { title: "CODE", cell: (row) => row.code || "-", tone: (row) => (row.code ? "bad" : "plain") },
  { title: "REASON", cell: (row) => row.reason },
];
/** JSON has more of them. */
const closuresShown = 10;

/** The last ends of apps and links, with a line of titles; nothing when there were none. */
function closureLines({ runtimes }: DaemonStatus, paint: Paint): string[] {
  const closures = runtimes.flatMap((runtime) => runtime.closures);
  if (closures.length === 0) return [];
  // ISO 8601 sorts as text does.
  closures.sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
  return ["", ...formatTable(closureColumns, closures.slice(-closuresShown), paint)];
}

function gatewayText(gateway: GatewayStatus): string {
  const { state, pid, restarts, lastFailure, ingresses, egresses } = gateway;
  const parts = [pid === 0 ? state : `${state}, process ${pid}`];
  if (ingresses.length > 0) {
    parts.push(`ingress at ${ingresses.map(({ address }) => address).join(" and ")}`);
  }
  for (const { name, address } of egresses) parts.push(`egress ${name} to ${address}`);
  if (restarts > 0) parts.push(`ended ${restarts} times, the last time by ${lastFailure}`);
  return parts.join(", ");
}

/** The lines to print. */
export function formatStatus(status: DaemonStatus, paint: Paint): string[] {
  const { counters, memory } = status;
  const facts: [string, string][] = [
    ["process", `${status.pid}, Node ${status.node}`],
    ["up", `${formatDuration(status.uptimeMs)}, since ${status.startedAt}`],
    ["prefix", status.prefix],
    ["listen", status.listen ?? "no port"],
    ["apps", `${counters.apps}, with ${counters.bindings} bindings`],
    ["links", `${counters.linksUp} of ${counters.links} up`],
    [
      "calls",
      `${counters.callsMade} made and ${counters.callsServed} served by these apps, ${counters.openCalls} open`,
    ],
    [
      "traffic",
      `${formatBytes(counters.linkBytesIn)} in, ${formatBytes(counters.linkBytesOut)} out over these links`,
    ],
    ["memory", formatBytes(memory.rssBytes)],
  ];
  if (status.gateway !== undefined) facts.push(["gateway", gatewayText(status.gateway)]);
  const title = paint("title", printable(status.name));
  const state = paint(status.state === "running" ? "good" : "bad", printable(status.state));
  return [
    `${title}  koalad ${printable(status.version)}  ${state}`,
    ...facts.map(([name, text]) => `  ${paint("faint", name.padEnd(8))}  ${printable(text)}`),
    "",
    ...formatTable(columns, status.runtimes, paint),
    ...closureLines(status, paint),
  ];
}

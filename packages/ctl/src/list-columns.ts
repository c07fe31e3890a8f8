/** What the lists show to people. */
import type { AppStatus, BindingStatus, LinkStatus, ServiceStatus } from "@koala/protocol";
import { formatBytes, formatDuration } from "./quantity.ts";
import type { Column, Tone } from "./table.ts";

/** Enough of a schema's hash to tell versions apart. */
const shortHash = (hash: string): string => hash.slice(0, 12);
const orDash = (text: string): string => (text === "" ? "-" : text);

function formatLabels(labels: AppStatus["labels"]): string {
  return orDash(
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
  );
}

export const appColumns: readonly Column<AppStatus>[] = [
  { title: "ID", cell: (app) => app.id },
  { title: "NAME", cell: (app) => app.name },
  { title: "PID", cell: (app) => app.pid },
  { title: "THREAD", cell: (app) => app.thread },
  { title: "USER", cell: (app) => app.uid },
  { title: "LABELS", cell: (app) => formatLabels(app.labels) },
  { title: "SERVES", cell: (app) => orDash([...new Set(app.exports)].join(", ")) },
  { title: "MADE", cell: (app) => app.callsMade },
  { title: "SERVED", cell: (app) => app.callsServed },
  { title: "OPEN OUT", cell: (app) => app.outgoing },
  { title: "OPEN IN", cell: (app) => app.incoming },
  { title: "PARKED", cell: (app) => app.parked },
  { title: "SEND HEAP", cell: (app) => formatBytes(app.sendHeapBytes) },
  { title: "RECEIVE HEAP", cell: (app) => formatBytes(app.receiveHeapBytes) },
  { title: "ATTACHED", cell: (app) => formatDuration(Date.now() - app.attachedMs) },
  { title: "LIBRARY", cell: (app) => app.library },
];

export const serviceColumns: readonly Column<ServiceStatus>[] = [
  { title: "NAME", cell: (row) => row.name },
  { title: "SERVICE", cell: (row) => row.service },
  { title: "WHERE", cell: (row) => row.where },
  { title: "INSTANCES", cell: (row) => row.instances },
  { title: "SCHEMA", cell: (row) => shortHash(row.schema), tone: () => "faint" },
  { title: "METHODS", cell: (row) => orDash(row.methods.join(", ")) },
];

export const linkColumns: readonly Column<LinkStatus>[] = [
  { title: "ADDRESS", cell: (link) => link.address },
  { title: "DIRECTION", cell: (link) => link.direction },
  { title: "STATE", cell: (link) => link.state, tone: (link) => stateTone(link.state) },
  { title: "PEER", cell: (link) => orDash(link.peer) },
  { title: "SINCE", cell: (link) => link.since },
  { title: "IN", cell: (link) => formatBytes(link.bytesIn) },
  { title: "OUT", cell: (link) => formatBytes(link.bytesOut) },
  { title: "CALLS", cell: (link) => link.calls },
  { title: "PARKED", cell: (link) => link.parked },
  { title: "OFFERS", cell: (link) => link.services.length },
  { title: "PROBLEM", cell: (link) => orDash(link.problem) },
];

function stateTone(state: LinkStatus["state"]): Tone {
  if (state === "up") return "good";
  return state === "down" ? "bad" : "plain";
}

export const bindingColumns: readonly Column<BindingStatus>[] = [
  { title: "APP", cell: (binding) => binding.app },
  { title: "TARGET", cell: (binding) => binding.target },
  { title: "SERVICE", cell: (binding) => binding.service },
  { title: "SCHEMA", cell: (binding) => shortHash(binding.schema), tone: () => "faint" },
  {
    title: "SERVED BY",
    cell: (binding) => (binding.problem === "" ? binding.endpoints.join(", ") : binding.problem),
    tone: (binding) => (binding.problem === "" ? "plain" : "bad"),
  },
];

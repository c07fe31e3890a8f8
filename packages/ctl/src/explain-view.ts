/** `koalactl explain` for people: what became of one call, and when. */
import type { CallParty, CallReport } from "@koala/protocol";
import { formatBytes, formatMicros } from "./quantity.ts";
import { type Column, formatTable, type Paint, printable, type Tone } from "./table.ts";

interface Hop {
  readonly micros: number;
  readonly took: number;
  readonly text: string;
}

const hopColumns: readonly Column<Hop>[] = [
  { title: "AT", cell: ({ micros }) => formatMicros(micros).padStart(9) },
  { title: "TOOK", cell: ({ took }) => formatMicros(took).padStart(9) },
  { title: "WHAT", cell: ({ text }) => text },
];

/** Rows of `koalactl explain` without an id. */
export const callColumns: readonly Column<CallReport>[] = [
  { title: "REQUEST", cell: (row) => row.id },
  { title: "STARTED", cell: (row) => row.startedAt },
  { title: "CALLER", cell: callerOf },
  { title: "METHOD", cell: (row) => `${row.service}/${row.method}` },
  { title: "TARGET", cell: (row) => row.target },
  { title: "STATUS", cell: (row) => row.statusName, tone: toneOf },
  { title: "TOOK", cell: (row) => formatMicros(row.hops.ended) },
  { title: "WHY", cell: (row) => row.why },
  { title: "POLICY", cell: (row) => ruleOf(row) || "-" },
];

function toneOf({ status }: CallReport): Tone {
  return status === 0 ? "good" : "bad";
}

/** `app`, or `app@host` for apps of other hosts. */
export function callerOf({ caller: { app, host } }: Pick<CallReport, "caller">): string {
  return host === "" ? app : `${app}@${host}`;
}

function ruleOf({ policy, rule }: CallReport): string {
  return rule === "" ? policy : `${policy}, rule ${rule}`;
}

/** The lines to print. */
export function formatCall(call: CallReport, daemon: string, paint: Paint): string[] {
  const { service, method, target, statusName, origin } = call;
  const outcome = call.status === 0 ? statusName : `${statusName} from ${origin}`;
  const facts: [string, string][] = [
    ["request", call.id],
    ["started", call.startedAt],
    ["caller", `${callerOf(call)}${processOf(call)}`],
    ["message", call.message],
    ["denied by", ruleOf(call)],
    ["policies", call.policies.join(", ")],
    ["sizes", sizesOf(call)],
    ["seen by", `${daemon}, runtime ${call.runtime}`],
    ["elsewhere", elsewhereOf(call)],
  ];
  const head = paint(toneOf(call), printable(outcome));
  return [
    `${head}  ${printable(`${service}/${method} at ${target}`)}`,
    ...facts
      .filter(([, text]) => text !== "")
      .map(([name, text]) => `  ${paint("faint", name.padEnd(9))}  ${printable(text)}`),
    "",
    ...formatTable(hopColumns, hopsOf(call), paint),
    ...(call.isPrecise
      ? []
      : [
          "",
          paint("faint", "times are those of rounds: this call was not sampled from its start"),
        ]),
  ];
}

function processOf({ caller: { pid, uid, host } }: CallReport): string {
  if (host !== "") return uid < 0 ? "" : `, user ${uid} there`;
  return `, process ${pid}, user ${uid}`;
}

function sizesOf({ requestBytes, replyBytes, isPrecise }: CallReport): string {
  if (!isPrecise) return "";
  return `request ${formatBytes(requestBytes)}, reply ${formatBytes(replyBytes)}`;
}

/** Where to ask for the other half of the call. */
function elsewhereOf({ from, to, remoteId, id, status }: CallReport): string {
  if (to?.kind === "peer") {
    const hint = remoteId === "" ? "" : `: koalactl explain ${remoteId} there`;
    return `${to.name} had it from here${hint}`;
  }
  if (from.kind !== "peer") return "";
  return `${from.name} has the caller's half${status === 0 ? "" : `: koalactl explain ${id} there`}`;
}

function hopsOf(report: CallReport): Hop[] {
  const { hops, from, to, status } = report;
  const rows: Hop[] = [];
  let last = 0;
  const add = (micros: number, text: string): void => {
    if (micros < 0) return;
    rows.push({ micros, took: Math.max(0, micros - last), text });
    last = micros;
  };
  add(0, `taken from ${nameOf(from)}`);
  if (report.policies.length > 0) add(hops.policies, "let through by the policies");
  add(hops.sent, `handed to ${to === null ? "nobody" : nameOf(to)}`);
  add(hops.replied, status === 0 ? "the reply came" : "an error came");
  const denied = report.why === "denied" ? `denied by ${ruleOf(report)}; ` : "";
  add(hops.ended, `${denied}${nameOf(from)} has the outcome`);
  return rows;
}

function nameOf({ kind, name }: CallParty): string {
  if (kind === "app") return name;
  return kind === "policy" ? name : `${kind} ${name}`;
}

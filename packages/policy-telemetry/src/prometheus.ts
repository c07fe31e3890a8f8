/**
 * The metrics. `grpc_*` have the names, labels and codes of go-grpc-prometheus (now in go-grpc-middleware),
 * which gRPC's dashboards and alerts are made for; `koala_*` say what those can't: who called, and who
 * produced the outcome.
 */
import { originName, statusCount, statusName } from "@koala/interface";
import { Exposition, labels, type TextFormat } from "./exposition.ts";
import { bucketCount, cumulativeCounts } from "./histogram.ts";
import { merged, type SeriesSnapshot, type Totals } from "./series.ts";
import { originCount, Position } from "./slab.ts";

/** What a scrape shows. */
export interface Metrics {
  readonly series: readonly SeriesSnapshot[];
  readonly totals: Totals;
  readonly spans: { readonly exported: number; readonly failed: number; readonly dropped: number };
}

/** The names of grpc-go's codes, in the order of their numbers. */
const goCodes: readonly string[] = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

const goTypes = {
  unary: "unary",
  server_streaming: "server_stream",
  client_streaming: "client_stream",
  bidi_streaming: "bidi_stream",
} as const;

/** A series with its labels as text. */
interface Labelled {
  readonly pairs: string;
  readonly series: SeriesSnapshot;
}

/** The text of a scrape; `boundsSeconds` are those of the histograms. */
export function renderMetrics(
  metrics: Metrics,
  boundsSeconds: readonly number[],
  format: TextFormat,
): string {
  const text = new Exposition(format);
  const methods = merged(metrics.series, ({ service, method, kind }) =>
    [service, method, kind].join("\0"),
  );
  for (const side of ["client", "server"] as const) {
    const ofSide = metrics.series.filter((series) => series.side === side);
    if (ofSide.length > 0) writeGrpc(text, side, ofSide, boundsSeconds);
  }
  if (methods.length > 0) writeKoala(text, metrics.series, boundsSeconds);
  writeOwn(text, metrics);
  return text.end();
}

function writeGrpc(
  text: Exposition,
  side: "client" | "server",
  all: readonly SeriesSnapshot[],
  boundsSeconds: readonly number[],
): void {
  const where = side === "client" ? "by the client" : "on the server";
  const perMethod = merged(all, ({ service, method, kind }) => [service, method, kind].join("\0"));
  const labelled = perMethod.map((series) => ({
    series,
    pairs: labels({
      grpc_type: goTypes[series.kind],
      grpc_service: series.service,
      grpc_method: series.method,
    }),
  }));
  const prefix = `grpc_${side}`;
  const counter = (name: string, help: string, value: (series: SeriesSnapshot) => number): void =>
    writeAll(text, labelled, `${prefix}_${name}`, "counter", help, value);

  counter("started_total", `Total number of RPCs started ${where}.`, started);
  const help = `Total number of RPCs completed ${where}, regardless of success or failure.`;
  text.metric(`${prefix}_handled_total`, "counter", help);
  for (const { series, pairs } of labelled) {
    for (let status = 0; status < statusCount; status++) {
      const count = outcomes(series, status);
      if (count === 0 && status !== 0) continue;
      text.sample(`${prefix}_handled_total`, `${pairs},grpc_code="${goCodes[status]}"`, count);
    }
  }
  // What is no stream has one request, and one reply when the call succeeds.
  const requests = side === "client" ? "msg_sent_total" : "msg_received_total";
  const replies = side === "client" ? "msg_received_total" : "msg_sent_total";
  const [sent, received] =
    side === "client"
      ? ["sent by the client", "received by the client"]
      : ["received on the server", "sent by the server"];
  counter(requests, `Messages ${sent}.`, requestMessages);
  counter(replies, `Messages ${received}.`, responseMessages);

  const name = `${prefix}_handling_seconds`;
  text.metric(name, "histogram", `Time until an RPC was complete, seen ${where}, in seconds.`);
  for (const { series, pairs } of labelled) writeTimes(text, name, pairs, series, boundsSeconds);
}

function writeKoala(
  text: Exposition,
  all: readonly SeriesSnapshot[],
  boundsSeconds: readonly number[],
): void {
  const labelled = all.map((series) => ({ series, pairs: pairsOf(series) }));
  text.metric("koala_calls_total", "counter", "Calls that ended, by outcome and who produced it.");
  for (const { series, pairs } of labelled) {
    for (let status = 0; status < statusCount; status++) {
      for (let origin = 0; origin < originCount; origin++) {
        const count = series.numbers[Position.OUTCOMES + status * originCount + origin]!;
        if (count === 0) continue;
        const outcome = `code="${statusName(status)}",origin="${originName(origin)}"`;
        text.sample("koala_calls_total", `${pairs},${outcome}`, count);
      }
    }
  }
  const inFlight = "Calls that have begun and not ended.";
  writeAll(text, labelled, "koala_calls_in_flight", "gauge", inFlight, (series) =>
    Math.max(0, started(series) - ended(series)),
  );
  const requests = "Bytes of requests, as laid out in memory.";
  writeAll(
    text,
    labelled,
    "koala_request_bytes_total",
    "counter",
    requests,
    (series) => series.numbers[Position.REQUEST_BYTES]!,
  );
  const replies = "Bytes of replies, as laid out in memory.";
  writeAll(
    text,
    labelled,
    "koala_response_bytes_total",
    "counter",
    replies,
    (series) => series.numbers[Position.RESPONSE_BYTES]!,
  );
  const name = "koala_call_duration_seconds";
  text.metric(name, "histogram", "Time from the request to the outcome, seen at this policy.");
  for (const { series, pairs } of labelled) writeTimes(text, name, pairs, series, boundsSeconds);
}

/** What the policy says of itself. */
function writeOwn(text: Exposition, { totals, spans }: Metrics): void {
  const one = (name: string, type: "counter" | "gauge", help: string, value: number): void => {
    text.metric(name, type, help);
    text.sample(name, "", value);
  };
  one("koala_telemetry_series", "gauge", "Series in use, of all runtimes.", totals.series);
  one(
    "koala_telemetry_series_limit",
    "gauge",
    "Room for series, of all runtimes.",
    totals.seriesMax,
  );
  const overflow = "Calls counted together under the name _other, because there was no room.";
  one("koala_telemetry_overflow_calls_total", "counter", overflow, totals.overflow);
  const name = "koala_telemetry_spans_total";
  text.metric(name, "counter", "Spans, by what became of them.");
  text.sample(name, 'result="exported"', spans.exported);
  text.sample(name, 'result="failed"', spans.failed);
  text.sample(name, 'result="dropped"', spans.dropped + totals.spansDropped);
}

function writeAll(
  text: Exposition,
  all: readonly Labelled[],
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: (series: SeriesSnapshot) => number,
): void {
  text.metric(name, type, help);
  for (const { series, pairs } of all) text.sample(name, pairs, value(series));
}

function writeTimes(
  text: Exposition,
  name: string,
  pairs: string,
  series: SeriesSnapshot,
  boundsSeconds: readonly number[],
): void {
  const buckets = series.numbers.subarray(Position.BUCKETS, Position.BUCKETS + bucketCount);
  const bounds = boundsSeconds.map((bound) => Math.round(bound * 1e6));
  const sumSeconds = series.numbers[Position.DURATION_MICROS]! / 1e6;
  text.histogram(name, pairs, boundsSeconds, cumulativeCounts(buckets, bounds), sumSeconds);
}

function pairsOf({ side, service, method, caller }: SeriesSnapshot): string {
  return labels(caller === "" ? { side, service, method } : { side, service, method, caller });
}

function started(series: SeriesSnapshot): number {
  return series.numbers[Position.STARTED]!;
}

function requestMessages(series: SeriesSnapshot): number {
  const isStream = series.kind === "client_streaming" || series.kind === "bidi_streaming";
  return isStream ? series.numbers[Position.REQUEST_MESSAGES]! : started(series);
}

function responseMessages(series: SeriesSnapshot): number {
  const isStream = series.kind === "server_streaming" || series.kind === "bidi_streaming";
  return isStream ? series.numbers[Position.RESPONSE_MESSAGES]! : outcomes(series, 0);
}

function outcomes(series: SeriesSnapshot, status: number): number {
  let sum = 0;
  for (let origin = 0; origin < originCount; origin++) {
    sum += series.numbers[Position.OUTCOMES + status * originCount + origin]!;
  }
  return sum;
}

function ended(series: SeriesSnapshot): number {
  let sum = 0;
  for (let status = 0; status < statusCount; status++) sum += outcomes(series, status);
  return sum;
}

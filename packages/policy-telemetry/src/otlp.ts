/**
 * Spans in the JSON of OTLP 1.x (ExportTraceServiceRequest): ids in hex, 64-bit numbers as strings. Names
 * of attributes are those of OpenTelemetry's semantic conventions for RPC 1.45; `rpc.system`, `rpc.service`
 * and `rpc.grpc.status_code` are those of the versions before, which many back ends still ask for.
 */
import { hostname } from "node:os";
import { originName, Status, statusName } from "@koala/interface";
import type { Span, SpanNotice } from "./spans.ts";

/** Kinds of spans in OTLP. */
const SpanKind = { SERVER: 2, CLIENT: 3 } as const;
/** Status of a span that failed, in OTLP. */
const spanError = 2;
/** Lower flag bits of a span: sampled. */
const sampledFlag = 1;

/** What a server is to blame for; its other statuses are answers. The conventions for gRPC have the list. */
const serverErrors: ReadonlySet<number> = new Set([
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.UNIMPLEMENTED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
  Status.DATA_LOSS,
]);

interface Attribute {
  key: string;
  value: { stringValue: string } | { intValue: string };
}

/** A span as the collector gets it. */
export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  flags: number;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status: { code?: number; message?: string };
}

/** Who the spans are from. */
export interface Resource {
  serviceName: string;
  /** Name of the daemon. */
  daemon: string;
}

/** The spans of a notice. */
export function otlpSpans(notice: SpanNotice): OtlpSpan[] {
  return notice.spans.map((span) => otlpSpan(span, notice.wallMicros));
}

/** The body of a request to the collector. */
export function otlpRequest(resource: Resource, spans: readonly OtlpSpan[]): string {
  const attributes = [
    text("service.name", resource.serviceName),
    text("service.instance.id", resource.daemon),
    text("host.name", hostname()),
  ];
  const scopeSpans = [{ scope: { name: "@koala/policy-telemetry", version: "0.1.0" }, spans }];
  const schemaUrl = "https://opentelemetry.io/schemas/1.45.0";
  return JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans, schemaUrl }] });
}

function otlpSpan(span: Span, wallMicros: number): OtlpSpan {
  const isError =
    span.side === "client" ? span.status !== Status.OK : serverErrors.has(span.status);
  const fullName = `${span.service}/${span.method}`;
  const result: OtlpSpan = {
    traceId: span.traceId,
    spanId: span.spanId,
    flags: sampledFlag,
    name: fullName,
    kind: span.side === "client" ? SpanKind.CLIENT : SpanKind.SERVER,
    startTimeUnixNano: nanos(span.startMicros + wallMicros),
    endTimeUnixNano: nanos(span.endMicros + wallMicros),
    attributes: [
      text("rpc.system.name", "grpc"),
      text("rpc.method", fullName),
      text("rpc.response.status_code", statusName(span.status)),
      text("server.address", span.target),
      text("rpc.system", "grpc"),
      text("rpc.service", span.service),
      whole("rpc.grpc.status_code", span.status),
      text("koala.request_id", span.requestId),
      text("koala.caller", span.caller),
      whole("koala.request.bytes", span.requestBytes),
      whole("koala.response.bytes", span.responseBytes),
    ],
    status: {},
  };
  if (span.parentId !== "") result.parentSpanId = span.parentId;
  if (span.traceState !== "") result.traceState = span.traceState;
  if (span.callerHost !== "") result.attributes.push(text("koala.caller.host", span.callerHost));
  if (span.status !== Status.OK) {
    result.attributes.push(text("koala.origin", originName(span.origin)));
  }
  if (isError) {
    result.attributes.push(text("error.type", statusName(span.status)));
    result.status = { code: spanError };
    if (span.statusMessage !== "") result.status.message = span.statusMessage;
  }
  return result;
}

function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: value } };
}

function whole(key: string, value: number): Attribute {
  return { key, value: { intValue: String(value) } };
}

/** Whole nanoseconds: more digits than a number has. */
function nanos(micros: number): string {
  return String(BigInt(Math.round(micros)) * 1000n);
}

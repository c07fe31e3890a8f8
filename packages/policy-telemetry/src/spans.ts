/** Spans of the calls that are sampled: from the request's trace context to batches for the control part. */
import type { Origin, PolicyCall, PolicyContext, PolicyTimer, Side, Status } from "@koala/policy";
import type { CallRecord } from "./call-record.ts";
import { type Slab, Total } from "./slab.ts";
import { formatTraceParent, readTraceParent, type TraceIds } from "./trace-ids.ts";
import { WallClock } from "./wall-clock.ts";

/** What of a context is needed here. */
type Context = Pick<PolicyContext, "nowMicros" | "random" | "notify" | "timer">;

/** One side of a call, as it is told to the control part. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly traceState: string;
  readonly side: Side;
  readonly service: string;
  readonly method: string;
  readonly target: string;
  readonly caller: string;
  readonly callerHost: string;
  readonly requestId: string;
  /** On the monotonic clock. */
  readonly startMicros: number;
  readonly endMicros: number;
  readonly status: Status;
  readonly origin: Origin;
  readonly statusMessage: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** A message to the control part. */
export interface SpanNotice {
  readonly kind: "spans";
  /** Added to the spans' times it makes microseconds since 1970. */
  readonly wallMicros: number;
  readonly spans: readonly Span[];
}

/** Spans that go to the control part at a time: few enough for a handler's budget. */
const batchMax = 64;
/** Longest time that a span waits for others. */
const batchMs = 250;
const statusMessageMax = 256;

/** What decides about traces; a part of the configuration. */
export interface TraceRules {
  readonly sample: number;
  readonly begin: "caller" | "both";
  readonly add_header: boolean;
}

/**
 * Decides about a request: goes on with the trace that it has, or begins one. With a span, what follows
 * on its way becomes the span's child: the frame's trace context, and the header where there was one.
 */
export function beginSpan(
  call: PolicyCall,
  record: CallRecord,
  ids: TraceIds,
  rules: TraceRules,
  random: () => number,
): void {
  let parent = call.trace;
  if (parent === undefined) {
    const header = call.metadata.get("traceparent");
    if (typeof header === "string") parent = readTraceParent(header);
  }
  const isDecidedOnce = rules.begin === "caller";
  if (parent === undefined && isDecidedOnce && call.side === "server") return;
  const sampled = parent === undefined ? random() < rules.sample : parent.sampled;
  // Where only callers' daemons decide, nobody has to be told of a no; and most calls are not sampled.
  if (parent === undefined && isDecidedOnce && !sampled) return;
  let trace = parent;
  if (trace === undefined || sampled) {
    // Else a no is passed on as well: the far side must not decide once more.
    trace = { traceId: parent?.traceId ?? ids.traceId(), spanId: ids.spanId(), sampled };
    call.trace = trace;
  }
  const addsHeader = rules.add_header && call.side === "server";
  if (sampled) {
    record.traceId = trace.traceId;
    record.spanId = trace.spanId;
    if (parent !== undefined) record.parentId = parent.spanId;
  } else if (!addsHeader) return;
  const { metadata } = call;
  const hadHeader = metadata.get("traceparent") !== undefined;
  if (!hadHeader && !addsHeader) return;
  if (sampled || !hadHeader) metadata.set("traceparent", formatTraceParent(trace));
  if (!sampled || !hadHeader) return;
  const state = metadata.get("tracestate");
  if (typeof state === "string") record.traceState = state;
}

/** The span of a call that ends. */
export function endSpan(call: PolicyCall, record: CallRecord, endMicros: number): Span {
  const { caller } = call;
  return {
    traceId: record.traceId,
    spanId: record.spanId,
    parentId: record.parentId,
    traceState: record.traceState,
    side: call.side,
    service: call.service,
    method: call.method.name,
    target: call.target,
    caller: caller.app,
    callerHost: caller.host,
    requestId: call.requestId,
    startMicros: record.startedMicros,
    endMicros,
    status: call.status,
    origin: call.origin,
    statusMessage: call.statusMessage.slice(0, statusMessageMax),
    requestBytes: record.requestBytes,
    responseBytes: record.responseBytes + call.responseBytes,
  };
}

/** Collects the spans of one instance and tells them to the control part, some at a time. */
export class SpanBatch {
  private readonly ctx: Context;
  private readonly slab: Slab;
  private readonly clock = new WallClock();
  private readonly timer: PolicyTimer;
  private spans: Span[] = [];
  private isClosed = false;

  constructor(ctx: Context, slab: Slab) {
    this.ctx = ctx;
    this.slab = slab;
    this.timer = ctx.timer(() => this.flush());
  }

  add(span: Span): void {
    if (this.spans.length === 0 && !this.isClosed) this.timer.set(batchMs);
    this.spans.push(span);
    if (this.spans.length >= batchMax || this.isClosed) this.flush();
  }

  /** From now on no span waits for others. */
  close(): void {
    this.isClosed = true;
    this.flush();
  }

  /** Tells what there is; what nobody takes is counted. */
  flush(): void {
    const { spans, slab } = this;
    if (spans.length === 0) return;
    this.timer.clear();
    this.spans = [];
    slab.totals[Total.SPANS]! += spans.length;
    const wallMicros = this.clock.offsetMicros(Date.now(), this.ctx.nowMicros());
    const notice: SpanNotice = { kind: "spans", wallMicros, spans };
    if (!this.ctx.notify(notice)) slab.totals[Total.SPANS_DROPPED]! += spans.length;
  }
}

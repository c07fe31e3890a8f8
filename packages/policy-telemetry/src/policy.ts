/** The part of the policy that is on the path of a call. */
import {
  definePolicy,
  type PolicyCall,
  type PolicyContext,
  type PolicyDefinition,
  type PreparedMethod,
  type StreamMessage,
} from "@koala/policy";
import { type CallRecord, CallRecords, recordOf } from "./call-record.ts";
import { checkConfig, type TelemetryConfig, telemetryConfig } from "./config.ts";
import { startControl } from "./control.ts";
import { bucketOf } from "./histogram.ts";
import { namesOf, readSlab, type SeriesSnapshot, SeriesTable } from "./series.ts";
import { layoutVersion, originCount, Position, Slab, sharedBytesFor } from "./slab.ts";
import { beginSpan, endSpan, SpanBatch } from "./spans.ts";
import { TraceIds } from "./trace-ids.ts";

type Context = PolicyContext<TelemetryConfig, TelemetryState>;

/** What an instance has at hand for each call. */
export interface TelemetryState {
  readonly table: SeriesTable;
  /** The shared numbers; a series' begin at its base. */
  readonly numbers: Float64Array;
  /** Of the memory; see `Slab.stamp`. */
  readonly stamp: number;
  readonly records: CallRecords;
  readonly ids: TraceIds;
  readonly batch: SpanBatch;
}

/** What is known of a method on one side: the caller that was here last, and where its numbers are. */
class MethodSeries {
  readonly info: PreparedMethod;
  clientApp: string | null = null;
  clientBase = 0;
  serverApp: string | null = null;
  serverBase = 0;

  constructor(info: PreparedMethod) {
    this.info = info;
  }
}

/** What `export` returns. */
interface SavedState {
  readonly layout: number;
  readonly series: readonly SeriesSnapshot[];
}

/** Counts and times calls, and follows traces. See the package's README. */
export const telemetry: PolicyDefinition<TelemetryConfig, TelemetryState> = definePolicy<
  TelemetryConfig,
  TelemetryState
>({
  name: "telemetry",
  version: "0.1.0",
  provides: ["change"],
  stateVersion: layoutVersion,
  config: telemetryConfig,
  counters: ["failed", "series", "spans"],
  sharedBytes: (config, runtimes) => sharedBytesFor(config.series_max, runtimes),
  check: checkConfig,
  prepare: (info) => new MethodSeries(info),
  start: (ctx) => {
    const state = createState(ctx);
    state.table.endLost();
    return state;
  },
  stop: (ctx) => ctx.state.batch.close(),
  reconfigure: (ctx) => ctx.state.batch.flush(),
  onRequest,
  onStreamMessage,
  onResponse,
  export: (ctx): SavedState => {
    ctx.state.batch.flush();
    return { layout: layoutVersion, series: readSlab(ctx.state.table.slab) };
  },
  import: (saved, _stateVersion, ctx) => {
    const state = createState(ctx);
    const { layout, series } = saved as SavedState;
    // The memory is that of the old code, unless a new daemon has made a new one.
    if (layout === layoutVersion && state.table.isFresh) state.table.load(series);
    return state;
  },
  control: startControl,
});

function createState(ctx: Context): TelemetryState {
  const slab = new Slab(ctx.shared, ctx.runtime.index, ctx.runtime.count);
  const table = new SeriesTable(slab);
  return {
    table,
    numbers: slab.numbers,
    stamp: slab.stamp,
    records: new CallRecords(),
    ids: new TraceIds(),
    batch: new SpanBatch(ctx, slab),
  };
}

function onRequest(call: PolicyCall, ctx: Context): undefined {
  const { state } = ctx;
  const { numbers } = state;
  const record = state.records.take();
  // First: reading malformed headers ends the call here, and it is not to be counted.
  if (ctx.config.otlp !== undefined) {
    beginSpan(call, record, state.ids, ctx.config, ctx.random);
  }
  const base = baseOf(call, ctx);
  record.base = base;
  record.stamp = state.stamp;
  record.requestBytes = call.requestBytes;
  record.responseBytes = 0;
  numbers[base + Position.STARTED]!++;
  numbers[base + Position.REQUEST_BYTES]! += record.requestBytes;
  record.startedMicros = ctx.nowMicros();
  call.local = record;
}

function onStreamMessage(message: StreamMessage, call: PolicyCall, ctx: Context): undefined {
  const { numbers, stamp } = ctx.state;
  const { bytes } = message;
  const record = recordOf(call.local);
  const base = record !== undefined && record.stamp === stamp ? record.base : baseOf(call, ctx);
  if (message.from === "client") {
    numbers[base + Position.REQUEST_MESSAGES]!++;
    numbers[base + Position.REQUEST_BYTES]! += bytes;
    if (record !== undefined) record.requestBytes += bytes;
    return;
  }
  numbers[base + Position.RESPONSE_MESSAGES]!++;
  numbers[base + Position.RESPONSE_BYTES]! += bytes;
  if (record !== undefined) record.responseBytes += bytes;
}

function onResponse(call: PolicyCall, ctx: Context): undefined {
  const { state } = ctx;
  const { numbers } = state;
  const { status } = call;
  if (status !== 0) ctx.counters["failed"]!++;
  const record = recordOf(call.local);
  // Places are those of other memory when another process has seen the request.
  const isPlaced = record !== undefined && record.stamp === state.stamp;
  const base = isPlaced ? record.base : baseOf(call, ctx);
  numbers[base + Position.OUTCOMES + status * originCount + call.origin]!++;
  if (record === undefined) return;
  const endMicros = ctx.nowMicros();
  const micros = endMicros - record.startedMicros;
  numbers[base + Position.BUCKETS + bucketOf(micros)]!++;
  numbers[base + Position.DURATION_MICROS]! += micros;
  numbers[base + Position.RESPONSE_BYTES]! += call.responseBytes;
  if (record.spanId !== "") addSpan(call, ctx, record, endMicros);
  call.local = undefined;
  state.records.give(record);
}

function addSpan(call: PolicyCall, ctx: Context, record: CallRecord, endMicros: number): void {
  ctx.counters["spans"]!++;
  ctx.state.batch.add(endSpan(call, record, endMicros));
}

/** Where the numbers of the call's series are. A chain has one caller, so the cache nearly always has it. */
function baseOf(call: PolicyCall, ctx: Context): number {
  const series = call.prepared as MethodSeries;
  const { app } = call.caller;
  if (call.side === "client") {
    if (series.clientApp === app) return series.clientBase;
    series.clientBase = lookUp(call, ctx, series, app);
    series.clientApp = app;
    return series.clientBase;
  }
  if (series.serverApp === app) return series.serverBase;
  series.serverBase = lookUp(call, ctx, series, app);
  series.serverApp = app;
  return series.serverBase;
}

function lookUp(call: PolicyCall, ctx: Context, series: MethodSeries, app: string): number {
  const { service, method } = series.info;
  const { table } = ctx.state;
  const caller = ctx.config.callers ? app : "";
  const base = table.baseOf(namesOf(call.side, service, method, caller));
  ctx.counters["series"] = table.size;
  return base;
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Origin, type PolicyCall, type PolicyContext, Status } from "@koala/policy";
import { bytesAllocatedBy } from "@koala/testing";
import { createPolicyHarness, type PolicyHarness, Shop } from "@koala/testing-policy";
import type { TelemetryConfig } from "./config.ts";
import { bucketCount, bucketOf } from "./histogram.ts";
import { type TelemetryState, telemetry } from "./policy.ts";
import { readShared, type SeriesSnapshot } from "./series.ts";
import { originCount, Position } from "./slab.ts";
import type { SpanNotice } from "./spans.ts";

const policy = telemetry as never;
const otlp = "http://127.0.0.1:4318";
const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

function seriesOf(harness: PolicyHarness): readonly SeriesSnapshot[] {
  return readShared(harness.shared, 1).series;
}

function outcome(series: SeriesSnapshot | undefined, status: Status, origin: Origin): number {
  return series!.numbers[Position.OUTCOMES + status * originCount + origin]!;
}

function spansOf(harness: PolicyHarness): SpanNotice["spans"] {
  harness.advance(1000);
  return (harness.notices as SpanNotice[]).flatMap(({ spans }) => spans);
}

describe("telemetry: counting", () => {
  it("counts each outcome with who produced it", () => {
    const harness = createPolicyHarness({ policy, service: Shop });
    harness.call("Find");
    harness.call("Find", {}, { status: Status.NOT_FOUND });
    harness.call("Find", {}, { status: Status.UNAVAILABLE, origin: Origin.LINK });
    harness.start("Find").cancel();
    const [series, ...more] = seriesOf(harness);
    assert.deepEqual(more, []);
    assert.equal(series?.service, Shop.typeName);
    assert.equal(series?.method, "Find");
    assert.equal(series?.caller, "test");
    assert.equal(series?.side, "client");
    assert.equal(series?.numbers[Position.STARTED], 4);
    assert.equal(outcome(series, Status.OK, Origin.REMOTE_APP), 1);
    assert.equal(outcome(series, Status.NOT_FOUND, Origin.REMOTE_APP), 1);
    assert.equal(outcome(series, Status.UNAVAILABLE, Origin.LINK), 1);
    assert.equal(outcome(series, Status.CANCELLED, Origin.APP), 1);
    assert.equal(harness.counters["failed"], 3);
  });

  it("puts durations into buckets, and adds them up", () => {
    const harness = createPolicyHarness({ policy, service: Shop });
    harness.call("Find", {}, { afterMs: 20 });
    harness.call("Find", {}, { afterMs: 70 });
    harness.advance(100);
    const { numbers } = seriesOf(harness)[0]!;
    assert.equal(numbers[Position.DURATION_MICROS], 90_000);
    assert.equal(numbers[Position.BUCKETS + bucketOf(20_000)], 1);
    assert.equal(numbers[Position.BUCKETS + bucketOf(70_000)], 1);
    const buckets = numbers.subarray(Position.BUCKETS, Position.BUCKETS + bucketCount);
    assert.equal(
      buckets.reduce((sum, count) => sum + count, 0),
      2,
    );
  });

  it("counts bytes both ways", () => {
    const harness = createPolicyHarness({ policy, service: Shop });
    const request = { query: "a long question" };
    const call = harness.call("Find", request, { reply: { items: [{ sku: "1" }, { sku: "2" }] } });
    const { numbers } = seriesOf(harness)[0]!;
    assert.ok(numbers[Position.REQUEST_BYTES]! > 0);
    assert.equal(numbers[Position.REQUEST_BYTES], call.source.request.bytes);
    assert.equal(numbers[Position.RESPONSE_BYTES], call.source.response.bytes);
  });

  it("counts callers apart, or together if it is told to", () => {
    const harness = createPolicyHarness({ policy, service: Shop });
    for (const app of ["web", "batch", "web"]) harness.call("Find", {}, { caller: { app } });
    const counts = (): [string, number][] =>
      seriesOf(harness).map(({ caller, numbers }) => [caller, numbers[Position.STARTED]!]);
    assert.deepEqual(counts(), [
      ["batch", 1],
      ["web", 2],
    ]);
    harness.reconfigure({ callers: false });
    for (const app of ["web", "batch"]) harness.call("Find", {}, { caller: { app } });
    assert.deepEqual(counts(), [
      ["", 2],
      ["batch", 1],
      ["web", 2],
    ]);
  });

  it("counts the server's side apart", () => {
    const harness = createPolicyHarness({ policy, service: Shop, side: "server" });
    harness.call("Buy");
    assert.equal(seriesOf(harness)[0]?.side, "server");
  });

  it("keeps its numbers over an upgrade, and those of calls in flight", () => {
    const harness = createPolicyHarness({ policy, service: Shop });
    harness.call("Find");
    const open = harness.start("Find");
    harness.upgrade(policy);
    harness.advance(30);
    open.answer();
    harness.call("Find");
    const [series] = seriesOf(harness);
    assert.equal(series?.numbers[Position.STARTED], 3);
    assert.equal(outcome(series, Status.OK, Origin.REMOTE_APP), 3);
    assert.equal(series?.numbers[Position.DURATION_MICROS], 30_000);
  });

  it("ends the calls of a runtime that has failed", () => {
    const lost = createPolicyHarness({ policy, service: Shop });
    lost.call("Find");
    for (let i = 0; i < 3; i++) lost.start("Find");
    const { shared } = lost;
    const next = createPolicyHarness({ policy, service: Shop, shared });
    next.call("Find");
    const [series] = seriesOf(next);
    assert.equal(series?.numbers[Position.STARTED], 5);
    assert.equal(outcome(series, Status.OK, Origin.REMOTE_APP), 2);
    assert.equal(outcome(series, Status.UNAVAILABLE, Origin.LOCAL_DAEMON), 3);
  });

  it("brings its numbers into new memory", () => {
    const before = createPolicyHarness({ policy, service: Shop });
    for (let i = 0; i < 5; i++) before.call("Find");
    const after = createPolicyHarness({ policy, service: Shop });
    const { ctx } = after.slot;
    ctx.state = telemetry.import!(structuredClone(before.slot.exportState()), 1, ctx as never);
    after.call("Find");
    assert.equal(seriesOf(after)[0]?.numbers[Position.STARTED], 6);
  });

  it("counts the outcome of a call whose request another process has seen", () => {
    const before = createPolicyHarness({ policy, service: Shop });
    for (let i = 0; i < 3; i++) before.call("Buy", {}, { caller: { app: "other" } });
    const [local] = before.start("Find").live.locals;
    assert.ok(local !== undefined);
    for (const kept of [undefined, structuredClone(local)]) {
      const after = createPolicyHarness({ policy, service: Shop, clock: before.clock });
      const call = after.start("Find");
      call.live.locals[0] = kept;
      after.advance(20);
      call.answer();
      const [series, ...more] = seriesOf(after);
      assert.deepEqual(more, []);
      assert.equal(outcome(series, Status.OK, Origin.REMOTE_APP), 1);
      assert.equal(series!.numbers[Position.DURATION_MICROS]! > 0, kept !== undefined);
    }
  });
});

describe("telemetry: tracing", () => {
  it("leaves calls alone without a collector", () => {
    const harness = createPolicyHarness({ policy, service: Shop });
    assert.equal(harness.call("Find").trace, undefined);
    const call = harness.call("Find", {}, { traceparent: { traceId, spanId } });
    assert.deepEqual(call.trace, { traceId, spanId, sampled: true });
    assert.deepEqual(spansOf(harness), []);
  });

  it("begins a trace, whose span is the parent of what follows", () => {
    const harness = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 1 } });
    const call = harness.start("Find", {}, { target: "shop", caller: { app: "web", host: "h2" } });
    harness.advance(5);
    call.answer({ status: Status.INTERNAL, statusMessage: "x".repeat(9999) });
    const [span, ...more] = spansOf(harness);
    assert.deepEqual(more, []);
    assert.equal(call.trace?.sampled, true);
    assert.equal(span?.traceId, call.trace?.traceId);
    assert.equal(span?.spanId, call.trace?.spanId);
    assert.equal(span?.parentId, "");
    assert.equal(span?.service, Shop.typeName);
    assert.equal(span?.method, "Find");
    assert.equal(span?.target, "shop");
    assert.equal(span?.caller, "web");
    assert.equal(span?.callerHost, "h2");
    assert.equal(span?.requestId, call.requestId);
    assert.equal(span!.endMicros - span!.startMicros, 5000);
    assert.equal(span?.status, Status.INTERNAL);
    assert.equal(span?.statusMessage.length, 256);
  });

  it("goes on with the trace of the frame", () => {
    const harness = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 0 } });
    const call = harness.call("Find", {}, { traceparent: { traceId, spanId } });
    const [span] = spansOf(harness);
    assert.equal(span?.traceId, traceId);
    assert.equal(span?.parentId, spanId);
    assert.notEqual(span?.spanId, spanId);
    assert.deepEqual(call.trace, { traceId, spanId: span?.spanId, sampled: true });
    assert.deepEqual(call.metadata, {});
  });

  it("goes on with the trace of the headers, and rewrites them", () => {
    const harness = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 0 } });
    const traceparent = `00-${traceId}-${spanId}-01`;
    const call = harness.call(
      "Find",
      {},
      { metadata: { traceparent, tracestate: "a=1", other: "x" } },
    );
    const [span] = spansOf(harness);
    assert.equal(span?.traceId, traceId);
    assert.equal(span?.parentId, spanId);
    assert.equal(span?.traceState, "a=1");
    assert.deepEqual(call.metadata, {
      traceparent: `00-${traceId}-${span?.spanId}-01`,
      tracestate: "a=1",
      other: "x",
    });
    assert.equal(call.trace?.spanId, span?.spanId);
  });

  it("respects that a trace is not sampled", () => {
    const harness = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 1 } });
    const traceparent = `00-${traceId}-${spanId}-00`;
    const call = harness.call("Find", {}, { metadata: { traceparent } });
    assert.deepEqual(call.metadata, { traceparent });
    assert.deepEqual(spansOf(harness), []);
  });

  it("gives handlers a header when it is told to, whatever is sampled", () => {
    for (const sample of [0, 1]) {
      const config = { otlp, sample, add_header: true, begin: "both" };
      const far = createPolicyHarness({ policy, service: Shop, side: "server", config });
      for (const options of [{}, { traceparent: { traceId, spanId } }]) {
        const { metadata, trace } = far.call("Find", {}, options);
        const flags = trace?.sampled ? "01" : "00";
        const traceparent = `00-${trace?.traceId}-${trace?.spanId}-${flags}`;
        assert.deepEqual(metadata, { traceparent });
      }
      const unsampled = `00-${traceId}-${spanId}-00`;
      const call = far.call("Find", {}, { metadata: { traceparent: unsampled } });
      assert.deepEqual(call.metadata, { traceparent: unsampled });
      const near = createPolicyHarness({ policy, service: Shop, config });
      assert.deepEqual(near.call("Find").metadata, {});
    }
  });

  it("begins traces in the caller's daemon only, unless it is told otherwise", () => {
    const config = { otlp, sample: 1, add_header: true };
    const far = createPolicyHarness({ policy, service: Shop, side: "server", config });
    const call = far.call("Find");
    assert.deepEqual([call.trace, call.metadata], [undefined, {}]);
    assert.deepEqual(spansOf(far), []);
    far.reconfigure({ ...config, begin: "both" });
    assert.equal(far.call("Find").trace?.sampled, true);
    assert.equal(spansOf(far).length, 1);
  });

  it("leaves calls that are not sampled alone, and tells the far side where that decides, too", () => {
    const near = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 0 } });
    assert.equal(near.call("Find").trace, undefined);
    near.reconfigure({ otlp, sample: 0, begin: "both" });
    const { trace } = near.call("Find");
    assert.equal(trace?.sampled, false);
    assert.match(trace!.traceId, /^[0-9a-f]{32}$/);
    assert.match(trace!.spanId, /^[0-9a-f]{16}$/);
    assert.deepEqual(spansOf(near), []);
  });

  it("samples as many as it is told to", () => {
    const harness = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 0.25 } });
    for (let i = 0; i < 2000; i++) harness.call("Find");
    const { length } = spansOf(harness);
    assert.ok(length > 400 && length < 600, `${length} of 2000`);
    assert.equal(harness.counters["spans"], length);
  });

  it("counts the spans that nobody takes", () => {
    const harness = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 1 } });
    harness.takesNotices = false;
    for (let i = 0; i < 100; i++) harness.call("Find");
    harness.advance(1000);
    const { totals } = readShared(harness.shared, 1);
    assert.deepEqual([totals.spans, totals.spansDropped], [100, 100]);
  });

  it("leaves no span behind when it ends", async () => {
    const harness = createPolicyHarness({ policy, service: Shop, config: { otlp, sample: 1 } });
    harness.call("Find");
    await harness.stop();
    assert.equal((harness.notices as SpanNotice[])[0]?.spans.length, 1);
  });
});

describe("telemetry: cost", () => {
  it("allocates nothing for a call", () => {
    const harness = createPolicyHarness({ policy, service: Shop });
    const method = harness.service.methods[0]!;
    const ctx = harness.slot.ctx as PolicyContext<TelemetryConfig, TelemetryState>;
    const prepared = telemetry.prepare!({ service: Shop.typeName, method }, ctx);
    const call = {
      side: "client",
      caller: { app: "web", host: "", uid: 0, pid: 1, labels: {} },
      prepared,
      local: undefined,
      requestBytes: 64,
      responseBytes: 64,
      status: Status.OK,
      origin: Origin.REMOTE_APP,
    } as unknown as PolicyCall;
    const run = (): void => {
      telemetry.onRequest!(call, ctx);
      telemetry.onResponse!(call, ctx);
    };
    const times = 20_000;
    // Less than a byte a call: what the measurement itself allocates.
    assert.ok(bytesAllocatedBy(run, times) < times);
  });
});

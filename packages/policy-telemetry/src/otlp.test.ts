import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Origin, Status } from "@koala/policy";
import { otlpRequest, otlpSpans } from "./otlp.ts";
import type { Span } from "./spans.ts";

const span: Span = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  parentId: "",
  traceState: "",
  side: "client",
  service: "geo.v1.Geo",
  method: "Lookup",
  target: "geo",
  caller: "web",
  callerHost: "",
  requestId: "r1",
  startMicros: 1_000_000.25,
  endMicros: 1_000_042,
  status: Status.OK,
  origin: Origin.REMOTE_APP,
  statusMessage: "",
  requestBytes: 64,
  responseBytes: 128,
};

function only(change: Partial<Span> = {}): ReturnType<typeof otlpSpans>[number] {
  const wallMicros = 1_700_000_000_000_000;
  const [result] = otlpSpans({ kind: "spans", wallMicros, spans: [{ ...span, ...change }] });
  return result!;
}

function attributesOf(change: Partial<Span> = {}): Record<string, unknown> {
  return Object.fromEntries(
    only(change).attributes.map(({ key, value }) => [key, Object.values(value)[0]]),
  );
}

describe("otlpSpans", () => {
  it("writes times as whole nanoseconds", () => {
    const { startTimeUnixNano, endTimeUnixNano } = only();
    assert.equal(startTimeUnixNano, "1700000001000000000");
    assert.equal(endTimeUnixNano, "1700000001000042000");
  });

  it("has the attributes of the conventions for RPC", () => {
    assert.deepEqual(attributesOf(), {
      "rpc.system.name": "grpc",
      "rpc.method": "geo.v1.Geo/Lookup",
      "rpc.response.status_code": "OK",
      "server.address": "geo",
      "rpc.system": "grpc",
      "rpc.service": "geo.v1.Geo",
      "rpc.grpc.status_code": "0",
      "koala.request_id": "r1",
      "koala.caller": "web",
      "koala.request.bytes": "64",
      "koala.response.bytes": "128",
    });
    const { name, kind, status, parentSpanId, traceState } = only();
    assert.deepEqual([name, kind, status], ["geo.v1.Geo/Lookup", 3, {}]);
    assert.deepEqual([parentSpanId, traceState], [undefined, undefined]);
  });

  it("says whose child a span is", () => {
    const parentId = "00f067aa0ba902b7";
    const { parentSpanId, traceState, kind } = only({
      parentId,
      traceState: "a=1",
      side: "server",
    });
    assert.deepEqual([parentSpanId, traceState, kind], [parentId, "a=1", 2]);
  });

  it("says what failed, and who was it", () => {
    const failure = { status: Status.NOT_FOUND, statusMessage: "no such place" };
    assert.deepEqual(only(failure).status, { code: 2, message: "no such place" });
    assert.equal(attributesOf(failure)["error.type"], "NOT_FOUND");
    assert.equal(attributesOf(failure)["koala.origin"], "remote-app");
  });

  it("does not blame a server for answers", () => {
    const server = (status: Status): unknown => only({ side: "server", status }).status.code;
    const blamed = Object.values(Status).filter((status) => server(status) === 2);
    assert.deepEqual(blamed, [
      Status.UNKNOWN,
      Status.DEADLINE_EXCEEDED,
      Status.UNIMPLEMENTED,
      Status.INTERNAL,
      Status.UNAVAILABLE,
      Status.DATA_LOSS,
    ]);
  });
});

describe("otlpRequest", () => {
  it("is an ExportTraceServiceRequest", () => {
    const body = JSON.parse(otlpRequest({ serviceName: "koala", daemon: "host-a" }, [only()]));
    assert.deepEqual(Object.keys(body), ["resourceSpans"]);
    const [{ resource, scopeSpans, schemaUrl }] = body.resourceSpans;
    assert.match(schemaUrl, /^https:\/\/opentelemetry\.io\/schemas\//);
    assert.deepEqual(
      resource.attributes.slice(0, 2).map((each: { value: unknown }) => each.value),
      [{ stringValue: "koala" }, { stringValue: "host-a" }],
    );
    assert.deepEqual(scopeSpans[0].spans, [only()]);
  });
});

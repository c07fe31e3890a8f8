import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { Origin, Status } from "@koala/policy";
import type { TextFormat } from "./exposition.ts";
import { bucketOf } from "./histogram.ts";
import { type Metrics, renderMetrics } from "./prometheus.ts";
import type { SeriesSnapshot } from "./series.ts";
import { numberCount, originCount, Position } from "./slab.ts";

const bounds = [0.0001, 0.005, 1];

function series(change: Partial<SeriesSnapshot> = {}): SeriesSnapshot {
  const numbers = new Float64Array(numberCount);
  numbers[Position.STARTED] = 10;
  numbers[Position.REQUEST_BYTES] = 640;
  numbers[Position.RESPONSE_BYTES] = 1280;
  numbers[Position.REQUEST_MESSAGES] = 70;
  numbers[Position.RESPONSE_MESSAGES] = 90;
  const add = (status: Status, origin: Origin, micros: number, times: number): void => {
    numbers[Position.OUTCOMES + status * originCount + origin]! += times;
    numbers[Position.BUCKETS + bucketOf(micros)]! += times;
    numbers[Position.DURATION_MICROS]! += micros * times;
  };
  add(Status.OK, Origin.REMOTE_APP, 42, 6);
  add(Status.UNAVAILABLE, Origin.LINK, 4000, 2);
  add(Status.UNAVAILABLE, Origin.REMOTE_DAEMON, 2_000_000, 1);
  const names = { service: "geo.v1.Geo", method: "Lookup", caller: "web" } as const;
  return { side: "client", kind: "unary", ...names, ...change, numbers };
}

function metricsOf(...all: SeriesSnapshot[]): Metrics {
  const totals = { series: 3, seriesMax: 512, overflow: 4, spans: 9, spansDropped: 1 };
  return { series: all, totals, spans: { exported: 5, failed: 2, dropped: 1 } };
}

function render(format: TextFormat, ...all: SeriesSnapshot[]): string[] {
  return renderMetrics(metricsOf(...all), bounds, format).split("\n");
}

const method = 'grpc_type="unary",grpc_service="geo.v1.Geo",grpc_method="Lookup"';
const own = 'side="client",service="geo.v1.Geo",method="Lookup",caller="web"';

describe("renderMetrics", () => {
  it("has what dashboards for gRPC ask for", () => {
    const lines = render("prometheus", series());
    for (const line of [
      "# TYPE grpc_client_started_total counter",
      `grpc_client_started_total{${method}} 10`,
      "# TYPE grpc_client_handled_total counter",
      `grpc_client_handled_total{${method},grpc_code="OK"} 6`,
      `grpc_client_handled_total{${method},grpc_code="Unavailable"} 3`,
      `grpc_client_msg_sent_total{${method}} 10`,
      `grpc_client_msg_received_total{${method}} 6`,
      "# TYPE grpc_client_handling_seconds histogram",
      `grpc_client_handling_seconds_bucket{${method},le="0.0001"} 6`,
      `grpc_client_handling_seconds_bucket{${method},le="0.005"} 8`,
      `grpc_client_handling_seconds_bucket{${method},le="1"} 8`,
      `grpc_client_handling_seconds_bucket{${method},le="+Inf"} 9`,
      `grpc_client_handling_seconds_sum{${method}} 2.008252`,
      `grpc_client_handling_seconds_count{${method}} 9`,
    ]) {
      assert.ok(lines.includes(line), `${line}\n\n${lines.join("\n")}`);
    }
    assert.ok(!lines.some((line) => line.startsWith("grpc_server")));
  });

  it("turns the directions of messages round on the server", () => {
    const lines = render("prometheus", series({ side: "server" }));
    assert.ok(lines.includes(`grpc_server_msg_received_total{${method}} 10`));
    assert.ok(lines.includes(`grpc_server_msg_sent_total{${method}} 6`));
  });

  it("names the caller and who produced the outcome under names of its own", () => {
    const lines = render("prometheus", series(), series({ caller: "batch" }));
    for (const line of [
      `koala_calls_total{${own},code="OK",origin="remote-app"} 6`,
      `koala_calls_total{${own},code="UNAVAILABLE",origin="link"} 2`,
      `koala_calls_total{${own},code="UNAVAILABLE",origin="remote-daemon"} 1`,
      `koala_calls_in_flight{${own}} 1`,
      `koala_request_bytes_total{${own}} 640`,
      `koala_response_bytes_total{${own}} 1280`,
      `koala_call_duration_seconds_count{${own}} 9`,
      // Callers are added up where dashboards know none.
      `grpc_client_started_total{${method}} 20`,
      "koala_telemetry_series 3",
      "koala_telemetry_series_limit 512",
      "koala_telemetry_overflow_calls_total 4",
      'koala_telemetry_spans_total{result="exported"} 5',
      'koala_telemetry_spans_total{result="failed"} 2',
      'koala_telemetry_spans_total{result="dropped"} 2',
    ]) {
      assert.ok(lines.includes(line), `${line}\n\n${lines.join("\n")}`);
    }
  });

  it("leaves the caller away when callers are not counted apart", () => {
    const lines = render("prometheus", series({ caller: "" }));
    assert.ok(lines.some((line) => line.startsWith("koala_calls_total{")));
    assert.ok(!lines.some((line) => line.includes("caller=")));
  });

  it("counts the messages of streams, of which there may be any number", () => {
    for (const [kind, type, sent, received] of [
      ["server_streaming", "server_stream", 10, 90],
      ["client_streaming", "client_stream", 70, 6],
      ["bidi_streaming", "bidi_stream", 70, 90],
    ] as const) {
      const lines = render("prometheus", series({ kind }));
      const labels = method.replace("unary", type);
      assert.ok(lines.includes(`grpc_client_msg_sent_total{${labels}} ${sent}`));
      assert.ok(lines.includes(`grpc_client_msg_received_total{${labels}} ${received}`));
    }
  });

  it("escapes what an app calls itself", () => {
    const text = renderMetrics(metricsOf(series({ caller: 'a"b\\c\nd' })), bounds, "prometheus");
    assert.ok(text.includes('caller="a\\"b\\\\c\\nd"'));
  });

  it("writes OpenMetrics to those who ask for it", () => {
    const lines = render("openmetrics", series());
    assert.ok(lines.includes("# TYPE grpc_client_started counter"));
    assert.ok(lines.includes(`grpc_client_started_total{${method}} 10`));
    assert.ok(lines.includes(`grpc_client_handling_seconds_bucket{${method},le="1.0"} 8`));
    assert.deepEqual(lines.slice(-2), ["# EOF", ""]);
  });

  it("describes each metric once, in one block, with samples of its name only", () => {
    for (const format of ["prometheus", "openmetrics"] as const) {
      const all = [series(), series({ side: "server", caller: "b" }), series({ method: "Other" })];
      const seen = new Set<string>();
      let current = "";
      for (const line of render(format, ...all)) {
        if (line === "" || line === "# EOF") continue;
        const [, comment, name = ""] = /^# (HELP|TYPE) (\w+) /.exec(line) ?? [];
        if (comment === "HELP") {
          assert.ok(!seen.has(name), `twice: ${name}`);
          seen.add(name);
          current = name;
        } else if (comment === "TYPE") assert.equal(name, current);
        else assert.match(line, new RegExp(`^${current}(_total|_bucket|_sum|_count)?[{ ]`));
      }
    }
  });

  it("is what promtool calls correct", (context) => {
    const probe = spawnSync("promtool", ["--version"]);
    if (probe.error !== undefined) return context.skip("there is no promtool (Debian: prometheus)");
    const all = [series(), series({ side: "server", caller: 'x"\\\n' }), series({ caller: "" })];
    const input = renderMetrics(metricsOf(...all), bounds, "prometheus");
    const { status, stderr } = spawnSync("promtool", ["check", "metrics"], { input });
    assert.equal(status, 0, stderr.toString());
  });
});

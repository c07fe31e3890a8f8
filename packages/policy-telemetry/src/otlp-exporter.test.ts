import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { until } from "@koala/testing";
import type { OtlpSpan } from "./otlp.ts";
import { type ExporterOptions, OtlpExporter, type SpanCounts } from "./otlp-exporter.ts";

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

interface Received {
  url: string | undefined;
  headers: IncomingHttpHeaders;
  names: string[];
}

/** A collector that gives one answer after the other, and the last one for ever. */
async function collector(
  context: TestContext,
  answers: Answer[],
): Promise<{ url: URL; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      const answer = (answers.length > 1 ? answers.shift() : answers[0])!;
      const spans = JSON.parse(text).resourceSpans[0].scopeSpans[0].spans as OtlpSpan[];
      const { url, headers } = request;
      received.push({ url, headers, names: spans.map(({ name }) => name) });
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}/v1/traces`), received };
}

function exporterFor(
  context: TestContext,
  url: URL,
  options: Partial<ExporterOptions> = {},
): { exporter: OtlpExporter; counts: SpanCounts; warnings: string[] } {
  const warnings: string[] = [];
  const counts: SpanCounts = { exported: 0, failed: 0, dropped: 0 };
  const exporter = new OtlpExporter(
    {
      url,
      headers: { "x-key": "secret" },
      resource: { serviceName: "koala", daemon: "a" },
      spansMax: 1000,
      everyMs: 5,
      retryMinMs: 1,
      retryMaxMs: 4,
      warn: (message, fields) => warnings.push(`${message}: ${fields?.["reason"]}`),
      ...options,
    },
    counts,
  );
  context.after(() => exporter.close());
  return { exporter, counts, warnings };
}

function spans(...names: string[]): OtlpSpan[] {
  return names.map((name) => ({
    traceId: "1".repeat(32),
    spanId: "2".repeat(16),
    flags: 1,
    name,
    kind: 3,
    startTimeUnixNano: "1",
    endTimeUnixNano: "2",
    attributes: [],
    status: {},
  }));
}

describe("OtlpExporter", () => {
  it("posts spans with the headers that are configured", async (context) => {
    const { url, received } = await collector(context, [{ status: 200, body: "{}" }]);
    const { exporter, counts } = exporterFor(context, url);
    exporter.add(spans("a", "b"));
    await until("the spans are accounted for", () => counts.exported === 2);
    assert.deepEqual(received[0]?.names, ["a", "b"]);
    assert.equal(received[0]?.url, "/v1/traces");
    assert.equal(received[0]?.headers["content-type"], "application/json");
    assert.equal(received[0]?.headers["x-key"], "secret");
  });

  it("sends a batch again while the collector asks for it, in order", async (context) => {
    const answers = [503, 429, 502, 504].map((status) => ({ status }));
    const { url, received } = await collector(context, [...answers, { status: 200 }]);
    const { exporter, counts, warnings } = exporterFor(context, url);
    exporter.add(spans("a"));
    await until("the collector got them", () => received.length > 0);
    exporter.add(spans("b"));
    await until("the spans are accounted for", () => counts.exported === 2);
    assert.deepEqual(
      received.map(({ names }) => names.join()),
      ["a", "a", "a", "a", "a", "b"],
    );
    assert.deepEqual(warnings, ["spans do not get to the collector: it answered 503"]);
  });

  it("waits as long as the collector says", async (context) => {
    const answers = [{ status: 503, headers: { "Retry-After": "0" } }, { status: 200 }];
    const { url } = await collector(context, answers);
    // Its own pause would be longer than the test may take.
    const { exporter, counts } = exporterFor(context, url, { retryMinMs: 3_600_000 });
    exporter.add(spans("a"));
    await until("the spans are accounted for", () => counts.exported === 1);
  });

  it("gives up on a batch that is refused", async (context) => {
    const { url, received } = await collector(context, [{ status: 400 }, { status: 200 }]);
    const { exporter, counts } = exporterFor(context, url);
    exporter.add(spans("bad"));
    await until("the spans are accounted for", () => counts.failed === 1);
    exporter.add(spans("good"));
    await until("the spans are accounted for", () => counts.exported === 1);
    assert.equal(received.length, 2);
  });

  it("gives up on a batch at last", async (context) => {
    const { url, received } = await collector(context, [{ status: 503 }]);
    const { exporter, counts } = exporterFor(context, url);
    exporter.add(spans("a"));
    await until("the spans are accounted for", () => counts.failed === 1);
    assert.equal(received.length, 8);
  });

  it("believes a collector that takes a part only", async (context) => {
    const body = JSON.stringify({ partialSuccess: { rejectedSpans: "2", errorMessage: "no" } });
    const { url } = await collector(context, [{ status: 200, body }]);
    const { exporter, counts } = exporterFor(context, url);
    exporter.add(spans("a", "b", "c"));
    await until("the spans are accounted for", () => counts.failed === 2);
    assert.equal(counts.exported, 1);
  });

  it("keeps no more than it may, and sends large numbers in batches", async (context) => {
    const { url, received } = await collector(context, [{ status: 200 }]);
    const { exporter, counts } = exporterFor(context, url, { spansMax: 1000 });
    exporter.add(spans(...Array.from({ length: 1300 }, (_, index) => String(index))));
    await until("the spans are accounted for", () => counts.exported === 1000);
    assert.equal(counts.dropped, 300);
    assert.deepEqual(
      received.map(({ names }) => names.length),
      [512, 488],
    );
  });

  it("sends what is left when it is closed", async (context) => {
    const { url } = await collector(context, [{ status: 200 }]);
    const { exporter, counts } = exporterFor(context, url);
    exporter.add(spans("a", "b"));
    await exporter.close();
    assert.equal(counts.exported, 2);
  });

  it("closes although there is no collector, or none that answers", async (context) => {
    const nobody = exporterFor(context, new URL("http://127.0.0.1:1/v1/traces"));
    nobody.exporter.add(spans("a"));
    await until("it failed", () => nobody.warnings.length > 0);
    await nobody.exporter.close();
    assert.equal(nobody.counts.failed, 1);

    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    context.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const url = new URL(`http://127.0.0.1:${port}/v1/traces`);
    // Neither the time for an answer nor the number of batches matters.
    const silent = exporterFor(context, url, { timeoutMs: 3_600_000, closeMs: 50 });
    silent.exporter.add(spans(...Array.from({ length: 900 }, () => "a")));
    await silent.exporter.close();
    assert.equal(silent.counts.failed, 900);
  });
});

/** What a scraper and a collector get of calls between real daemons with the policy `telemetry`. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { RpcError } from "@koala/mrpc";
import { type Ending, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin, postAdmin } from "../stage/admin.ts";
import { atEnd, createFolder, type Daemon, startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen, startTopology, untilPrinted } from "../stage/kitchen.ts";

interface Span {
  daemon: string;
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  status: { code?: number };
}

interface OtlpBody {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue: string } }[] };
    scopeSpans: { spans: Omit<Span, "daemon">[] }[];
  }[];
}

const clientKind = 3;
const serverKind = 2;

/** Collects what daemons export. */
async function startCollector(test: Ending): Promise<{ url: string; spans: Span[] }> {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      for (const { resource, scopeSpans } of (JSON.parse(text) as OtlpBody).resourceSpans) {
        const id = resource.attributes.find(({ key }) => key === "service.instance.id");
        const daemon = id!.value.stringValue;
        for (const scope of scopeSpans)
          spans.push(...scope.spans.map((span) => ({ ...span, daemon })));
      }
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(test, () => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans };
}

function policyFor(collector: string): string {
  return `[[policy]]
use = "telemetry"
order = 0
[policy.config]
prometheus = "127.0.0.1:0"
otlp = "${collector}"
sample = 1
add_header = true
`;
}

/** What a daemon shows at the port that it has chosen. */
async function scrape(daemon: Daemon): Promise<string> {
  const [, address] = /a port that the system chose.* address=(\S+)/.exec(daemon.log())!;
  return (await fetch(`http://${address}/metrics`)).text();
}

/** The value of the one sample whose line begins so. */
function sampleOf(text: string, name: string, labels: string): number {
  const start = `${name}{${labels}} `;
  const lines = text.split("\n").filter((line) => line.startsWith(start));
  assert.equal(lines.length, 1, `${start}\n\n${text}`);
  return Number(lines[0]!.slice(start.length));
}

describe("telemetry of calls", { timeout: 120_000 }, () => {
  for (const hosts of [2, 1]) {
    it(`is complete on both sides, with ${hosts === 2 ? "two daemons" : "one daemon"}`, async (t) => {
      const collector = await startCollector(t);
      const { client, server } = await startTopology(t, hosts, policyFor(collector.url));
      await startKitchen(t, server);
      const mesh = await connectTo(t, client, { name: "waiter" });
      const kitchen = mesh.client(Kitchen, "kitchen");
      const calls = 40;
      await Promise.all(Array.from({ length: calls }, () => kitchen.echo({ text: "soup" })));
      await assert.rejects(kitchen.fail({ status: 5, message: "no soup" }), RpcError);

      for (const [side, daemon] of [
        ["client", client],
        ["server", server],
      ] as const) {
        const echo = 'grpc_type="unary",grpc_service="test.v1.Kitchen",grpc_method="Echo"';
        const fail = 'grpc_type="unary",grpc_service="test.v1.Kitchen",grpc_method="Fail"';
        const text = await scrape(daemon);
        const prefix = `grpc_${side}`;
        assert.equal(sampleOf(text, `${prefix}_started_total`, echo), calls);
        assert.equal(sampleOf(text, `${prefix}_handled_total`, `${echo},grpc_code="OK"`), calls);
        assert.equal(sampleOf(text, `${prefix}_handling_seconds_count`, echo), calls);
        assert.ok(sampleOf(text, `${prefix}_handling_seconds_sum`, echo) > 0);
        assert.equal(sampleOf(text, `${prefix}_handled_total`, `${fail},grpc_code="NotFound"`), 1);
        const own = `side="${side}",service="test.v1.Kitchen",method="Fail",caller="waiter"`;
        const outcome = `${own},code="NOT_FOUND",origin="remote-app"`;
        assert.equal(sampleOf(text, "koala_calls_total", outcome), 1);
        assert.equal(sampleOf(text, "koala_calls_in_flight", own), 0);
      }

      const { spans } = collector;
      await until("all spans are there", () => spans.length >= 2 * (calls + 1));
      assert.equal(spans.length, 2 * (calls + 1));
      assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, calls + 1);
      for (const near of spans.filter(({ kind }) => kind === clientKind)) {
        const far = spans.find((span) => span.parentSpanId === near.spanId);
        assert.equal(near.parentSpanId, undefined);
        assert.equal(near.daemon, client.name);
        assert.equal(far?.kind, serverKind);
        assert.equal(far?.daemon, server.name);
        assert.equal(far?.traceId, near.traceId);
        assert.equal(far?.name, near.name);
        assert.equal(near.status.code === 2, near.name === "test.v1.Kitchen/Fail");
      }
    });

    it(`goes on with the caller's trace, with ${hosts === 2 ? "two daemons" : "one daemon"}`, async (t) => {
      const collector = await startCollector(t);
      const { client, server } = await startTopology(t, hosts, policyFor(collector.url));
      await startKitchen(t, server);
      const mesh = await connectTo(t, client);
      const kitchen = mesh.client(Kitchen, "kitchen");
      const traceId = "0af7651916cd43dd8448eb211c80319c";
      const metadata = [
        ["traceparent", `00-${traceId}-b7ad6b7169203331-01`],
        ["tracestate", "a=1"],
        ["other", "x"],
      ] as const;
      let seen: Map<string, unknown> = new Map();
      const onTrailer = (entries: readonly (readonly [string, unknown])[]): void => {
        seen = new Map(entries);
      };
      await kitchen.context({}, { metadata, onTrailerEntries: onTrailer });
      const { spans } = collector;
      await until("both spans are there", () => spans.length === 2);
      const near = spans.find(({ kind }) => kind === clientKind);
      const far = spans.find(({ kind }) => kind === serverKind);
      assert.deepEqual([near?.traceId, far?.traceId], [traceId, traceId]);
      assert.equal(near?.parentSpanId, "b7ad6b7169203331");
      assert.equal(far?.parentSpanId, near?.spanId);
      // The handler's own span would be a child of the server's.
      assert.equal(seen.get("traceparent"), `00-${traceId}-${far?.spanId}-01`);
      assert.deepEqual([seen.get("tracestate"), seen.get("other")], ["a=1", "x"]);

      await kitchen.context({}, { onTrailerEntries: onTrailer });
      await until("two more are there", () => spans.length === 4);
      const last = spans.findLast(({ kind }) => kind === serverKind);
      assert.equal(seen.get("traceparent"), `00-${last?.traceId}-${last?.spanId}-01`);
    });
  }

  it("loses no number when the policy is configured anew and upgraded, calls in flight included", async (t) => {
    const collector = await startCollector(t);
    const folder = createFolder(t);
    const newer = newerTelemetry(folder);
    const config = `[modules]\ndirectories = ["${folder}"]\n${policyFor(collector.url)}`;
    const daemon = await startDaemon(t, { config });
    const server = await startKitchen(t, daemon);
    const mesh = await connectTo(t, daemon, { name: "waiter" });
    const kitchen = mesh.client(Kitchen, "kitchen");
    const { prefix } = daemon;

    await kitchen.echo({ text: "before" });
    const waiting = kitchen.wait({ key: "long", ms: 0 });
    await untilPrinted(server, /began long/);
    const set = await postAdmin(prefix, "/v1/policies/set", {
      name: "telemetry",
      merge: { sample: 0, service_name: "kitchens" },
    });
    assert.deepEqual(
      set.changes.map(({ kind }) => kind),
      ["reconfigured"],
    );
    await kitchen.echo({ text: "between" });
    const upgrade = await postAdmin(prefix, "/v1/upgrade", { module: "telemetry", path: newer });
    assert.deepEqual(
      upgrade.changes.map(({ kind }) => kind),
      ["upgraded"],
    );
    await kitchen.echo({ text: "after" });
    server.write("release long");
    await waiting;

    const text = await scrape(daemon);
    for (const side of ["client", "server"]) {
      for (const [method, count] of [
        ["Echo", 3],
        ["Wait", 1],
      ] as const) {
        const labels = `grpc_type="unary",grpc_service="test.v1.Kitchen",grpc_method="${method}"`;
        assert.equal(sampleOf(text, `grpc_${side}_started_total`, labels), count);
        assert.equal(
          sampleOf(text, `grpc_${side}_handled_total`, `${labels},grpc_code="OK"`),
          count,
        );
        assert.equal(sampleOf(text, `grpc_${side}_handling_seconds_count`, labels), count);
      }
    }
    const { policies } = await askAdmin(prefix, "/v1/policies");
    assert.equal(policies[0]?.version, "99.0.0");
    await until("the spans from before are there", () => collector.spans.length >= 2);
  });

  it("loses no number when the daemon is replaced, and answers at the same port", async (t) => {
    const collector = await startCollector(t);
    const address = await freeAddress();
    const config = policyFor(collector.url).replace("127.0.0.1:0", address);
    const daemon = await startDaemon(t, { config });
    const server = await startKitchen(t, daemon);
    const mesh = await connectTo(t, daemon, { name: "waiter" });
    const kitchen = mesh.client(Kitchen, "kitchen");
    await kitchen.echo({ text: "before" });
    const waiting = kitchen.wait({ key: "long", ms: 0 });
    await untilPrinted(server, /began long/);
    const before = daemon.currentPid();
    await daemon.upgrade();
    assert.notEqual(daemon.currentPid(), before);
    await kitchen.echo({ text: "after" });
    server.write("release long");
    await waiting;

    const echo = 'grpc_type="unary",grpc_service="test.v1.Kitchen",grpc_method="Echo"';
    const wait = 'grpc_type="unary",grpc_service="test.v1.Kitchen",grpc_method="Wait"';
    // The old daemon answers until it has left.
    let text = "";
    await until("the next daemon answers", async () => {
      const answer = await fetch(`http://${address}/metrics`).catch(() => undefined);
      text = (await answer?.text()) ?? "";
      return text.includes(`grpc_client_handled_total{${wait},grpc_code="OK"} 1\n`);
    });
    for (const side of ["client", "server"]) {
      for (const [labels, count] of [
        [echo, 2],
        [wait, 1],
      ] as const) {
        assert.equal(sampleOf(text, `grpc_${side}_started_total`, labels), count);
        assert.equal(
          sampleOf(text, `grpc_${side}_handled_total`, `${labels},grpc_code="OK"`),
          count,
        );
        assert.equal(sampleOf(text, `grpc_${side}_handling_seconds_count`, labels), count);
      }
    }
    await until("all spans are there", () => collector.spans.length >= 6);
    assert.equal(new Set(collector.spans.map(({ traceId }) => traceId)).size, 3);
  });
});

/** An address that nobody listens to. */
async function freeAddress(): Promise<string> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return `127.0.0.1:${port}`;
}

/** The policy as a module of a later version. */
function newerTelemetry(folder: string): string {
  const dist = fileURLToPath(new URL("../../../packages/policy-telemetry/dist", import.meta.url));
  const copy = join(folder, "newer");
  cpSync(dist, copy, {
    recursive: true,
    filter: (source) => !source.includes(".test."),
  });
  const code = join(copy, "policy.js");
  writeFileSync(code, readFileSync(code, "utf8").replace('version: "0.1.0"', 'version: "99.0.0"'));
  return join(copy, "index.js");
}

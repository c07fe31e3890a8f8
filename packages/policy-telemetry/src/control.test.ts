import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { Origin, Status } from "@koala/policy";
import { until } from "@koala/testing";
import { createPolicyHarness, type PolicyHarness, Shop } from "@koala/testing-policy";
import { telemetry } from "./policy.ts";

const policy = telemetry as never;

/** A harness whose control part runs. */
async function start(context: TestContext, config: object): Promise<PolicyHarness> {
  const harness = createPolicyHarness({ policy, service: Shop, config });
  await harness.startControl();
  context.after(() => harness.stop());
  return harness;
}

/** The scrape of the port that was chosen. */
async function scrape(harness: PolicyHarness): Promise<string> {
  const address = harness.warnings.findLast(({ fields }) => "address" in fields)?.fields["address"];
  return (await fetch(`http://${address}/metrics`)).text();
}

interface OtlpBody {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue: string } }[] };
    scopeSpans: { spans: { name: string; kind: number; startTimeUnixNano: string }[] }[];
  }[];
}

describe("the control part", () => {
  it("answers scrapes with what the instances count", async (context) => {
    const harness = await start(context, { prometheus: "127.0.0.1:0" });
    assert.doesNotMatch(await scrape(harness), /grpc_client/);
    harness.call("Find");
    harness.call("Find", {}, { status: Status.UNAVAILABLE, origin: Origin.LINK });
    const labels = `grpc_type="unary",grpc_service="${Shop.typeName}",grpc_method="Find"`;
    const text = await scrape(harness);
    assert.ok(text.includes(`\ngrpc_client_started_total{${labels}} 2\n`), text);
    assert.ok(text.includes(`\ngrpc_client_handled_total{${labels},grpc_code="Unavailable"} 1\n`));
    assert.ok(text.includes(`caller="test",code="UNAVAILABLE",origin="link"} 1\n`));
  });

  it("goes on counting where it was when it is started anew", async (context) => {
    const harness = createPolicyHarness({
      policy,
      service: Shop,
      config: { prometheus: "127.0.0.1:0" },
    });
    const old = await harness.startControl();
    harness.call("Find");
    harness.upgrade(policy);
    await harness.startControl();
    context.after(() => harness.stop());
    await old?.close();
    harness.call("Find");
    assert.match(await scrape(harness), /grpc_client_started_total\{[^}]*\} 2\n/);
  });

  it("sends spans to the collector, with times of day", async (context) => {
    const bodies: OtlpBody[] = [];
    const server = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (part) => {
        text += part;
      });
      request.on("end", () => {
        bodies.push(JSON.parse(text) as OtlpBody);
        response.end("{}");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    context.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const otlp = `http://127.0.0.1:${port}`;
    const harness = await start(context, { otlp, sample: 1, prometheus: "127.0.0.1:0" });
    const before = Date.now();
    harness.call("Find");
    harness.advance(1000);
    await until("the collector got them", () => bodies.length > 0);
    const { resource, scopeSpans } = bodies[0]!.resourceSpans[0]!;
    const attributes = Object.fromEntries(
      resource.attributes.map(({ key, value }) => [key, value.stringValue]),
    );
    assert.equal(attributes["service.name"], "koala");
    assert.equal(attributes["service.instance.id"], "test-host");
    const [span] = scopeSpans[0]!.spans;
    assert.equal(span?.name, `${Shop.typeName}/Find`);
    // The clock of the harness went on by the time that the batch has waited.
    const startMs = Number(BigInt(span!.startTimeUnixNano) / 1_000_000n);
    assert.ok(startMs > before - 60_000 && startMs <= Date.now());
    await until("the scrape shows the span", async () =>
      /koala_telemetry_spans_total\{result="exported"\} 1\n/.test(await scrape(harness)),
    );
  });

  it("moves to another address, and stays where it was if it can't", async (context) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    context.after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    const harness = createPolicyHarness({
      policy,
      service: Shop,
      config: { prometheus: "127.0.0.1:0" },
    });
    const control = await harness.startControl();
    context.after(() => harness.stop());
    const { config } = harness.slot.ctx;
    const to = (prometheus: string | undefined): Promise<void> | void =>
      control!.reconfigure!({ ...(config as object), prometheus });
    harness.call("Find");
    const refused = { ...(config as object), prometheus: `127.0.0.1:${port}`, buckets: [0.125] };
    await assert.rejects(async () => control!.reconfigure!(refused), {
      code: "ERR_TELEMETRY_LISTEN",
    });
    assert.match(await scrape(harness), /le="0.125"/);
    assert.match(await scrape(harness), /koala_telemetry_series/);
    await to(undefined);
    await assert.rejects(scrape(harness));
    await to("127.0.0.1:0");
    assert.match(await scrape(harness), /koala_telemetry_series/);
  });
});

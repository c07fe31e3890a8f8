import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { type MetricsEndpoint, serveMetrics } from "./metrics-server.ts";

async function scrape(endpoint: MetricsEndpoint, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${endpoint.address}/metrics`, init);
}

describe("serveMetrics", () => {
  it("answers at the port that the system chose, in the format that is asked for", async (context) => {
    const endpoint = await serveMetrics("t", "127.0.0.1:0", (format) => `${format}\n`);
    context.after(() => endpoint.close());
    assert.match(endpoint.address, /^127\.0\.0\.1:[1-9]\d*$/);
    const plain = await scrape(endpoint);
    assert.equal(await plain.text(), "prometheus\n");
    assert.equal(plain.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    const open = await scrape(endpoint, { headers: { accept } });
    assert.equal(await open.text(), "openmetrics\n");
    assert.match(open.headers.get("content-type")!, /^application\/openmetrics-text; version=1/);
    const head = await scrape(endpoint, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), "11");
    assert.equal(await head.text(), "");
  });

  it("refuses other paths and methods", async (context) => {
    const endpoint = await serveMetrics("t", "127.0.0.1:0", () => "");
    context.after(() => endpoint.close());
    assert.equal((await fetch(`http://${endpoint.address}/`)).status, 404);
    assert.equal((await scrape(endpoint, { method: "POST", body: "x" })).status, 405);
  });

  it("answers with the newest source of an attachment, and with the older one when that ends", async (context) => {
    const old = await serveMetrics("t", "127.0.0.1:0", () => "old");
    context.after(() => old.close());
    const next = await serveMetrics("t", "127.0.0.1:0", () => "new");
    context.after(() => next.close());
    assert.equal(next.address, old.address);
    assert.equal(await (await scrape(old)).text(), "new");
    await next.close();
    await next.close();
    assert.equal(await (await scrape(old)).text(), "old");
    await old.close();
    await assert.rejects(scrape(old));
  });

  it("refuses an address that another attachment uses", async (context) => {
    const first = await serveMetrics("first", "127.0.0.1:0", () => "");
    context.after(() => first.close());
    const again = await serveMetrics("first", first.address, () => "").catch((error) => error);
    assert.equal(again.code, "ERR_TELEMETRY_LISTEN", "the port is taken, by port 0 of the same");
    const second = await serveMetrics("second", "127.0.0.1:0", () => "");
    context.after(() => second.close());
    assert.notEqual(second.address, first.address);
  });

  it("names who has the address", async (context) => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address() as AddressInfo;
    const address = `127.0.0.1:${port}`;
    await assert.rejects(
      serveMetrics("t", address, () => ""),
      {
        code: "ERR_TELEMETRY_LISTEN",
        message: /EADDRINUSE/,
      },
    );
    await new Promise((resolve) => probe.close(resolve));
    const first = await serveMetrics("first", address, () => "");
    context.after(() => first.close());
    await assert.rejects(
      serveMetrics("second", address, () => ""),
      {
        code: "ERR_TELEMETRY_LISTEN",
        message: /the policy "first" does/,
      },
    );
  });

  it("gets a port that somebody is about to leave", async (context) => {
    const leaving = createServer();
    await new Promise<void>((resolve) => leaving.listen(0, "127.0.0.1", resolve));
    const { port } = leaving.address() as AddressInfo;
    const coming = serveMetrics("t", `127.0.0.1:${port}`, () => "here");
    leaving.close();
    const endpoint = await coming;
    context.after(() => endpoint.close());
    assert.equal(await (await scrape(endpoint)).text(), "here");
  });
});

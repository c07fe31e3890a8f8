import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { until } from "@koala/testing";
import { type MetricsEndpoint, type MetricsSource, serveMetrics } from "./metrics-server.ts";

const warnings: string[] = [];

function serve(
  attachment: string,
  address: string,
  source: MetricsSource,
): Promise<MetricsEndpoint> {
  const warn = (message: string): void => void warnings.push(message);
  return serveMetrics({ attachment, daemon: "host-a", address, source, warn });
}

/** Somebody else's server, with or without the header that says whose it is. */
async function occupy(owner?: string): Promise<{ address: string; leave: () => Promise<void> }> {
  const server = createServer((_, response) => {
    if (owner !== undefined) response.setHeader("koala-metrics-of", owner);
    response.end("theirs");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const leave = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, leave };
}

async function scrape(endpoint: MetricsEndpoint, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${endpoint.address}/metrics`, init);
}

describe("serveMetrics", () => {
  it("answers at the port that the system chose, in the format that is asked for", async (context) => {
    const endpoint = await serve("t", "127.0.0.1:0", (format) => `${format}\n`);
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
    const endpoint = await serve("t", "127.0.0.1:0", () => "");
    context.after(() => endpoint.close());
    assert.equal((await fetch(`http://${endpoint.address}/`)).status, 404);
    assert.equal((await scrape(endpoint, { method: "POST", body: "x" })).status, 405);
  });

  it("answers with the newest source of an attachment, and with the older one when that ends", async (context) => {
    const old = await serve("t", "127.0.0.1:0", () => "old");
    context.after(() => old.close());
    const next = await serve("t", "127.0.0.1:0", () => "new");
    context.after(() => next.close());
    assert.equal(next.address, old.address);
    assert.equal(await (await scrape(old)).text(), "new");
    await next.close();
    await next.close();
    assert.equal(await (await scrape(old)).text(), "old");
    await old.close();
    await assert.rejects(scrape(old));
  });

  it("refuses an address that another policy uses, and names it", async (context) => {
    const free = await occupy();
    await free.leave();
    const first = await serve("first", free.address, () => "");
    context.after(() => first.close());
    await assert.rejects(
      serve("second", free.address, () => ""),
      { code: "ERR_TELEMETRY_LISTEN", message: /the policy "first" does it/ },
    );
    assert.equal(await (await scrape(first)).text(), "");
  });

  it("has a port for each attachment that lets the system choose", async (context) => {
    const first = await serve("first", "127.0.0.1:0", () => "");
    context.after(() => first.close());
    const second = await serve("second", "127.0.0.1:0", () => "");
    context.after(() => second.close());
    assert.notEqual(second.address, first.address);
  });

  it("refuses an address that somebody else uses, other daemons among them", async (context) => {
    for (const owner of [undefined, "host-b%2Ft", "host-a%2Fother"]) {
      const taken = await occupy(owner);
      context.after(taken.leave);
      await assert.rejects(
        serve("t", taken.address, () => ""),
        { code: "ERR_TELEMETRY_LISTEN", message: /EADDRINUSE/ },
      );
    }
  });

  it("waits for the daemon that it replaces", async (context) => {
    const before = await occupy("host-a%2Ft");
    context.after(before.leave);
    const endpoint = await serve("t", before.address, () => "mine");
    context.after(() => endpoint.close());
    assert.match(warnings.at(-1)!, /until it leaves/);
    assert.equal(await (await scrape(endpoint)).text(), "theirs");
    await before.leave();
    await until("the port has changed hands", async () => {
      const answer = await scrape(endpoint).catch(() => undefined);
      return (await answer?.text()) === "mine";
    });
  });

  it("gives up waiting when it is closed", async (context) => {
    const before = await occupy("host-a%2Ft");
    context.after(before.leave);
    const endpoint = await serve("t", before.address, () => "mine");
    await endpoint.close();
    await before.leave();
    await assert.rejects(scrape(endpoint));
  });
});

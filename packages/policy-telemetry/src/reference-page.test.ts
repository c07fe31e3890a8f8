// Compares docs/reference/policies/telemetry.md with the code.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { telemetryConfig } from "./config.ts";
import { telemetry } from "./policy.ts";
import { renderMetrics } from "./prometheus.ts";
import type { SeriesSnapshot } from "./series.ts";
import { numberCount, sharedBytesFor } from "./slab.ts";

const page = readFileSync(
  new URL("../../../docs/reference/policies/telemetry.md", import.meta.url),
  "utf8",
);

/** The rows of a section's tables, as lists of cells. */
function rowsOf(title: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`))!;
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split("|")
        .map((cell) => cell.trim().replaceAll("`", ""))
        .slice(1, -1),
    );
}

describe("the page of telemetry", () => {
  it("has every key with its default", () => {
    const defaults = telemetryConfig.parse({}) as unknown as Record<string, unknown>;
    const optional = ["prometheus", "otlp"];
    const rows = rowsOf("Configuration");
    const keys = rows.map(([key]) => key!);
    assert.deepEqual(keys.toSorted(), [...Object.keys(defaults), ...optional].toSorted());
    for (const [key = "", shown = ""] of rows) {
      const value = defaults[key];
      if (value === undefined || typeof value === "object") continue;
      assert.equal(shown, JSON.stringify(value), key);
    }
    const { buckets } = telemetryConfig.parse({});
    assert.deepEqual([buckets[0], buckets.at(-1)], [0.00005, 10]);
  });

  it("has every metric with its type", () => {
    const names = { kind: "unary", service: "s", method: "m", caller: "c" } as const;
    const numbers = new Float64Array(numberCount);
    const series: SeriesSnapshot[] = [
      { side: "client", ...names, numbers },
      { side: "server", ...names, numbers },
    ];
    const totals = { series: 0, seriesMax: 0, overflow: 0, spans: 0, spansDropped: 0 };
    const spans = { exported: 0, failed: 0, dropped: 0 };
    const text = renderMetrics({ series, totals, spans }, [1], "prometheus");
    const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [
      name,
      type,
    ]);
    assert.deepEqual(
      rowsOf("Metrics")
        .map(([name, type]) => [name, type])
        .toSorted(),
      types.toSorted(),
    );
  });

  it("has every counter", () => {
    for (const counter of telemetry.counters!)
      assert.ok(page.includes(`\`${counter}\` (`), counter);
  });

  it("says what a series takes", () => {
    const bytes = sharedBytesFor(2, 1) - sharedBytesFor(1, 1);
    assert.ok(page.includes(`${(bytes / 1024).toFixed(1)} KiB each`), `${bytes} bytes`);
  });
});

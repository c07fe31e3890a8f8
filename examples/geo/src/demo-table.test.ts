import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderTable } from "./demo-table.ts";

describe("renderTable", () => {
  it("compares every system with the last one", () => {
    const table = renderTable([
      {
        title: "fast",
        figures: { samples: 1, p50Us: 100.4, p99Us: 200, callsPerSecond: 40_000 },
      },
      {
        title: "baseline",
        figures: { samples: 1, p50Us: 500, p99Us: 12_345, callsPerSecond: 3_200 },
      },
    ]);
    assert.equal(
      table,
      [
        "           calls/s    ratio      p50       p99   p50 ratio",
        "fast        40,000   12.5 x   100 µs    200 µs      0.20 x",
        "baseline     3,200   1.00 x   500 µs   12.3 ms      1.00 x",
      ].join("\n"),
    );
  });
  it("is empty without systems", () => assert.equal(renderTable([]), ""));
});

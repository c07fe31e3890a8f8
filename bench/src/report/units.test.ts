import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFigure, formatTick } from "./units.ts";

test("formatFigure takes the unit from the name", () => {
  const texts: readonly (readonly [string, number, string])[] = [
    ["bytes", 64, "64 B"],
    ["bytes", 65_536, "64 kB"],
    ["pssBytes", 3 * 2 ** 20, "3 MB"],
    ["bytesPerSecond", 2.5e9, "2.50 GB/s"],
    ["p50Us", 0.5, "500 ns"],
    ["p50Us", 61.23, "61.2 µs"],
    ["p99Us", 2500, "2.50 ms"],
    ["attachMs", 0.25, "250 µs"],
    ["cpuSecondsPerMillionCalls", 12.3, "12.3 s"],
    ["cpuMicrosPerCallClient", 12.3, "12.3 µs"],
    ["attachMsPerApp", 2, "2.00 ms"],
    ["idleCpuShare", 0.015, "1.50 %"],
    ["callsPerSecond", 123_456, "123,456"],
    ["inFlight", 128, "128"],
    ["p50Us", 0, "0"],
    ["appBytesEach", -2048, "-2 kB"],
  ];
  for (const [name, value, text] of texts) assert.equal(formatFigure(name, value), text);
});

test("formatTick leaves out what says nothing", () => {
  assert.equal(formatTick("p50Us", 50), "50 µs");
  assert.equal(formatTick("p50Us", 2500), "2.5 ms");
  assert.equal(formatTick("p50Us", 100), "100 µs");
  assert.equal(formatTick("callsPerSecond", 200_000), "200 k");
  assert.equal(formatTick("inFlight", 512), "512");
});

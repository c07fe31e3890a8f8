import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LoadCase } from "../cases/case.ts";
import { compare, type MeasuredRound, type Result, resultOf } from "./result.ts";
import { formatDigits, renderTable } from "./table.ts";

const loadCase: LoadCase = {
  name: "latency",
  title: "",
  method: "echo",
  bytes: 64,
  inFlight: 1,
  comparedBy: "latency",
};

function round(calls: number): MeasuredRound {
  return {
    calls,
    seconds: 1,
    p50Us: 20,
    daemonCpuSeconds: 0.5,
    clientCpuSeconds: 0.25,
    serverCpuSeconds: null,
    hogCallsPerSecond: null,
  };
}

function result(system: string, p50Us: number, ...calls: number[]): Result {
  const figures = { samples: 9, p50Us, p95Us: null, p99Us: 2 * p50Us, p999Us: null, minUs: 1 };
  return resultOf(loadCase, system, calls.map(round), figures);
}

describe("resultOf", () => {
  it("takes the median of the rounds, and all of their processor time", () => {
    const { callsPerSecond, bytesPerSecond, ...rest } = result("a", 20, 100, 300, 200);
    assert.equal(callsPerSecond, 200);
    assert.equal(bytesPerSecond, 12_800);
    assert.equal(rest.daemonCpuSeconds, 1.5);
    assert.equal(rest.serverCpuSeconds, null);
    assert.equal(rest.measuredSeconds, 3);
    assert.deepEqual(rest.roundCallsPerSecond, [100, 300, 200]);
  });
});

describe("compare", () => {
  it("divides what the case compares", () => {
    const [fast, slow] = [result("fast", 10, 900), result("slow", 40, 100)];
    assert.equal(compare("latency", fast, slow), 0.25);
    assert.equal(compare("rate", fast, slow), 9);
    assert.equal(compare("rate", fast, undefined), null);
    assert.equal(compare("rate", fast, fast), null);
  });
});

describe("renderTable", () => {
  it("leaves out columns without figures and aligns the others", () => {
    const lines = renderTable([
      { ...result("koala", 12.345, 100), ratioToGrpcJs: 0.1 },
      result("grpc-js", 1234.5, 1_000_000),
    ]).split("\n");
    assert.equal(lines.length, 3);
    assert.match(lines[0]!, /p50 +p99 +calls\/s +MB\/s +daemon CPU +to grpc-js$/);
    assert.match(lines[1]!, /^koala +12\.3 µs +24\.7 µs +100 +0\.00640 +50 % +0\.100 x$/);
    assert.match(lines[2]!, /^grpc-js +1235 µs +2469 µs +1,000,000 +64\.0 +50 % +-$/);
  });
});

describe("formatDigits", () => {
  it("shows three digits that count", () => {
    assert.deepEqual([1234, 12.34, 1.234, 0.1234].map(formatDigits), [
      "1,234",
      "12.3",
      "1.23",
      "0.123",
    ]);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatAddress, readAddress } from "./address.ts";
import { formatDuration, readDuration } from "./duration.ts";
import type { Reading } from "./reading.ts";
import { formatSize, readSize } from "./size.ts";

function accepted<T>(reading: Reading<T>): T {
  assert.ok(reading.ok, `refused: ${JSON.stringify(reading)}`);
  return reading.value;
}

function refusal(reading: Reading<unknown>): { expected: string; hint: string } {
  assert.ok(!reading.ok, "not refused");
  return reading;
}

describe("readSize", () => {
  const range = { min: 1024, max: 1024 ** 3 };

  it("reads units and plain bytes", () => {
    assert.equal(accepted(readSize("64 KiB", range)), 65536);
    assert.equal(accepted(readSize("16MiB", range)), 16 * 1024 ** 2);
    assert.equal(accepted(readSize("4096B", range)), 4096);
    assert.equal(accepted(readSize("4096", range)), 4096);
    assert.equal(accepted(readSize(4096n, range)), 4096);
  });

  it("takes both limits and nothing beyond", () => {
    assert.equal(accepted(readSize(1024n, range)), 1024);
    assert.equal(accepted(readSize("1GiB", range)), 1024 ** 3);
    assert.equal(refusal(readSize(1023n, range)).expected, "a size from 1KiB to 1GiB");
    refusal(readSize("1073741825B", range));
    refusal(readSize(2n ** 70n, range));
    refusal(readSize(-1n, range));
  });

  it("suggests the unit that was meant", () => {
    assert.equal(refusal(readSize("64mb", range)).hint, 'Did you mean "64MiB"?');
    assert.equal(refusal(readSize("2k", range)).hint, 'Did you mean "2KiB"?');
    assert.equal(refusal(readSize("2 parsecs", range)).hint, "");
    for (const wrong of ["", "1.5MiB", "-1KiB", 1.5, true, null, [], {}]) {
      refusal(readSize(wrong, range));
    }
  });

  it("reads what formatSize writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1024, max: 1024 ** 3 }), (bytes) => {
        assert.equal(accepted(readSize(formatSize(bytes), range)), bytes);
      }),
    );
  });
});

describe("readDuration", () => {
  const ms = { minMicros: 1000, maxMicros: 3_600_000_000, unit: "ms" } as const;
  const us = { minMicros: 0, maxMicros: 10_000, unit: "us" } as const;

  it("reads every unit into that of the range", () => {
    assert.equal(accepted(readDuration("500ms", ms)), 500);
    assert.equal(accepted(readDuration("2s", ms)), 2000);
    assert.equal(accepted(readDuration("1 m", ms)), 60_000);
    assert.equal(accepted(readDuration("1h", ms)), 3_600_000);
    assert.equal(accepted(readDuration("2000us", ms)), 2);
    assert.equal(accepted(readDuration("0us", us)), 0);
    assert.equal(accepted(readDuration("5ms", us)), 5000);
  });

  it("takes both limits and nothing beyond", () => {
    assert.equal(accepted(readDuration("1ms", ms)), 1);
    assert.equal(refusal(readDuration("0ms", ms)).expected, "a duration from 1ms to 1h");
    refusal(readDuration("61m", ms));
    refusal(readDuration("11ms", us));
    refusal(readDuration("999999999999h", ms));
    assert.match(refusal(readDuration("1500us", ms)).expected, /whole milliseconds/);
  });

  it("suggests the unit that was meant", () => {
    assert.equal(refusal(readDuration(10n, ms)).hint, 'Did you mean "10ms"?');
    assert.equal(refusal(readDuration("10", us)).hint, 'Did you mean "10us"?');
    assert.equal(refusal(readDuration("10sec", ms)).hint, 'Did you mean "10s"?');
    assert.equal(refusal(readDuration("10MS", ms)).hint, 'Did you mean "10ms"?');
    for (const wrong of ["", "1.5s", "s", "-1s", "1constructor", 1.5, true, null]) {
      refusal(readDuration(wrong, ms));
    }
  });

  it("reads what formatDuration writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_600_000 }), (value) => {
        assert.equal(accepted(readDuration(formatDuration(value * 1000), ms)), value);
      }),
    );
  });
});

describe("readAddress", () => {
  it("reads addresses and names", () => {
    assert.deepEqual(accepted(readAddress("127.0.0.1:4500", 0)), { host: "127.0.0.1", port: 4500 });
    assert.deepEqual(accepted(readAddress("[::1]:0", 0)), { host: "::1", port: 0 });
    assert.deepEqual(accepted(readAddress("a-b.example.net:65535", 1)), {
      host: "a-b.example.net",
      port: 65535,
    });
    for (const text of ["127.0.0.1:1", "[::1]:2", "host:3"]) {
      assert.equal(formatAddress(accepted(readAddress(text, 1))), text);
    }
  });

  it("refuses what is none, with the nearest right form", () => {
    assert.equal(refusal(readAddress("::1", 0)).hint, 'Did you mean "[::1]:4500"?');
    assert.equal(refusal(readAddress("localhost", 0)).hint, 'Did you mean "localhost:4500"?');
    assert.match(refusal(readAddress(":4500", 0)).hint, /0\.0\.0\.0:4500/);
    for (const wrong of [
      "",
      "a:b",
      "a:65536",
      "a:0",
      "1.2.3:4",
      "1.2.3.256:4",
      "[x]:1",
      "-a:1",
      4500n,
    ]) {
      refusal(readAddress(wrong, 1));
    }
  });
});

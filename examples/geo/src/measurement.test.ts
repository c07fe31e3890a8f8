import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { citiesPerReply, createMeasurement, percentile, rateInFlight } from "./measurement.ts";
import { placesAround } from "./places.ts";

const places = placesAround(20);

describe("percentile", () => {
  it("takes the nearest rank", () => {
    const ascending = Float64Array.from({ length: 200 }, (_, index) => index + 1);
    assert.equal(percentile(ascending, 50), 100);
    assert.equal(percentile(ascending, 99), 198);
    assert.equal(percentile(ascending, 0), 1);
    assert.equal(percentile(ascending, 100), 200);
  });
  it("is 0 for no samples", () => assert.equal(percentile(new Float64Array(), 50), 0));
});

describe("placesAround", () => {
  it("gives the same places in every run, all on Earth", () => {
    assert.deepEqual(placesAround(20), places);
    for (const [lat, lon] of places) assert.ok(Math.abs(lat) <= 90 && Math.abs(lon) <= 180);
  });
});

describe("createMeasurement", () => {
  /** Answers after one turn of the event loop and counts how many calls wait at once. */
  function createAsk() {
    const seen = { calls: 0, inFlight: 0, inFlightMax: 0 };
    const ask = async () => {
      seen.calls++;
      seen.inFlight++;
      seen.inFlightMax = Math.max(seen.inFlightMax, seen.inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      seen.inFlight--;
      return citiesPerReply;
    };
    return { ask, seen };
  }

  it("measures latency with one call in flight and counts every call", async () => {
    const { ask, seen } = createAsk();
    const measurement = createMeasurement(ask, places);
    await measurement.latencyRound(20);
    await measurement.latencyRound(20);
    const { samples, p50Us, p99Us } = measurement.figures();
    assert.equal(seen.inFlightMax, 1);
    assert.equal(samples, seen.calls);
    assert.ok(p50Us > 0 && p99Us >= p50Us, `${p50Us} ${p99Us}`);
  });

  it("measures the rate with all calls in flight and leaves none behind", async () => {
    const { ask, seen } = createAsk();
    const measurement = createMeasurement(ask, places);
    await measurement.rateRound(20);
    assert.equal(seen.inFlightMax, rateInFlight);
    assert.equal(seen.inFlight, 0);
    assert.ok(measurement.figures().callsPerSecond > 0);
  });

  it("forgets the warm-up", async () => {
    const measurement = createMeasurement(createAsk().ask, places);
    await measurement.latencyRound(5);
    await measurement.rateRound(5);
    measurement.reset();
    assert.deepEqual(measurement.figures(), { samples: 0, p50Us: 0, p99Us: 0, callsPerSecond: 0 });
  });

  it("fails when a reply has the wrong size", async () => {
    const measurement = createMeasurement(() => Promise.resolve(citiesPerReply - 1), places);
    await assert.rejects(measurement.latencyRound(5), /asked for 5 cities .* got 4/);
    await assert.rejects(measurement.rateRound(5), /asked for 5 cities .* got 4/);
  });
});

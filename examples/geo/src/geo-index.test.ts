import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { distance } from "geokdbush";
import { type CityRecord, loadCities } from "./cities.ts";
import { createGeoIndex, type GeoIndex } from "./geo-index.ts";

function city(over: Partial<CityRecord>): CityRecord {
  return {
    id: 1,
    name: "Springfield",
    country: "US",
    admin: "IL",
    lat: 0,
    lon: 0,
    population: 1,
    featureCode: "PPL",
    ...over,
  };
}

describe("loadCities", () => {
  it("reads every city with the fields that the service hands out", () => {
    const cities = loadCities();
    assert.ok(cities.length > 130_000, `only ${cities.length} cities`);
    assert.equal(new Set(cities.map(({ id }) => id)).size, cities.length);
    for (const { id, name, country, lat, lon, population } of cities) {
      assert.ok(Number.isInteger(id) && id > 0 && id < 2 ** 32, `id ${id}`);
      assert.ok(name !== "" && /^[A-Z]{2}$/.test(country), `${id}: ${name} ${country}`);
      assert.ok(Math.abs(lat) <= 90 && Math.abs(lon) <= 180, `${name}: ${lat} ${lon}`);
      assert.ok(Number.isInteger(population) && population >= 0 && population < 2 ** 32, name);
    }
    assert.deepEqual(
      cities.find(({ id }) => id === 2657896),
      {
        id: 2657896,
        name: "Zürich",
        country: "CH",
        admin: "ZH",
        lat: 47.36667,
        lon: 8.55,
        population: 341730,
        featureCode: "PPLA",
      },
    );
  });
});

describe("nearest", () => {
  let cities: readonly CityRecord[];
  let index: GeoIndex;
  before(() => {
    cities = loadCities();
    index = createGeoIndex(cities);
  });

  /** All distances, sorted: slow and beyond doubt. */
  function nearestByScan(lat: number, lon: number, limit: number): number[] {
    return cities
      .map((each) => distance(lon, lat, each.lon, each.lat))
      .sort((one, other) => one - other)
      .slice(0, limit);
  }

  // On land, at sea, at a pole, and on both sides of the date line.
  for (const [lat, lon] of [
    [47.378, 8.54],
    [0, -140],
    [89.9, 12],
    [-16.8, 179.99],
    [-16.8, -179.99],
  ] as const) {
    it(`agrees with a scan of all cities at ${lat}, ${lon}`, () => {
      const found = index.nearest(lat, lon, 20);
      const expected = nearestByScan(lat, lon, 20);
      assert.equal(found.length, 20);
      found.forEach(({ city: each, distanceKm }, rank) => {
        assert.ok(Math.abs(distanceKm - expected[rank]!) < 1e-6, `rank ${rank}: ${each.name}`);
        assert.equal(distanceKm, distance(lon, lat, each.lon, each.lat));
      });
    });
  }

  it("knows the distance from Zürich to Bern", () => {
    const bern = index.nearest(46.94809, 7.44744, 1)[0]!;
    assert.equal(bern.city.name, "Bern");
    const far = createGeoIndex([bern.city]).nearest(47.36667, 8.55, 5);
    assert.equal(far.length, 1);
    // 95 to 96 km as the crow flies.
    assert.ok(Math.abs(far[0]!.distanceKm - 95.5) < 1, `${far[0]!.distanceKm} km`);
  });
});

describe("lookup", () => {
  const small = city({ id: 10, country: "US", admin: "IL", population: 100 });
  const big = city({ id: 11, country: "US", admin: "MO", population: 300 });
  const canadian = city({ id: 12, country: "CA", admin: "ON", population: 200 });
  const unknown = city({ id: 14, name: "Łódź", country: "PL", population: 0 });
  const older = city({ id: 13, name: "Lodz", country: "PL", population: 0 });

  for (const [order, cities] of [
    ["one order", [small, big, canadian, unknown, older]],
    ["another", [older, unknown, canadian, big, small]],
  ] as const) {
    const index = createGeoIndex(cities);
    it(`prefers the most populous, data in ${order}`, () => {
      assert.equal(index.lookup("springfield", ""), big);
    });
    it(`narrows by country, data in ${order}`, () => {
      assert.equal(index.lookup("SPRINGFIELD", "ca"), canadian);
      assert.equal(index.lookup("Springfield", "CH"), undefined);
    });
    it(`prefers the older number among equals, data in ${order}`, () => {
      assert.equal(index.lookup("łodz", ""), older);
    });
    it(`finds nothing where nothing is, data in ${order}`, () => {
      assert.equal(index.lookup("Atlantis", ""), undefined);
      assert.equal(index.lookup("", ""), undefined);
    });
  }

  it("finds cities of the world however they are typed", () => {
    const world = createGeoIndex(loadCities());
    assert.equal(world.lookup("zurich", "")?.id, 2657896);
    assert.equal(world.lookup("SAO PAULO", "")?.country, "BR");
    assert.equal(world.lookup("paris", "")?.country, "FR");
    assert.equal(world.lookup("paris", "US")?.admin, "TX");
  });
});

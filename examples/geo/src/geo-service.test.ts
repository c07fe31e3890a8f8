import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RpcError, Status } from "@koala/mrpc";
import {
  type LookupRequest,
  LookupRequestSchema,
  type NearestRequest,
  NearestRequestSchema,
} from "./gen/geo/v1/geo_pb.ts";
import { createGeoIndex } from "./geo-index.ts";
import { geoService, nearestLimitMax } from "./geo-service.ts";

const bern = {
  id: 2661552,
  name: "Bern",
  country: "CH",
  admin: "BE",
  lat: 46.94809,
  lon: 7.44744,
  population: 121631,
  featureCode: "PPLC",
};
const service = geoService(createGeoIndex([bern]));

function nearest(init: MessageInitShape<typeof NearestRequestSchema>): NearestRequest {
  return create(NearestRequestSchema, init);
}
function named(init: MessageInitShape<typeof LookupRequestSchema>): LookupRequest {
  return create(LookupRequestSchema, init);
}

describe("geoService", () => {
  it("hands out every field of a city", () => {
    assert.deepEqual(service.lookup(named({ name: "bern" })), { ...bern, distanceKm: undefined });
    const reply = service.nearest(nearest({ lat: bern.lat, lon: bern.lon, limit: 1 }));
    assert.deepEqual(reply.cities, [{ ...bern, distanceKm: 0 }]);
  });

  it("takes the edges of every range", () => {
    for (const lat of [-90, 90]) {
      for (const lon of [-180, 180]) {
        for (const limit of [1, nearestLimitMax]) {
          assert.equal(service.nearest(nearest({ lat, lon, limit })).cities?.length, 1);
        }
      }
    }
  });

  const refused: readonly (readonly [string, MessageInitShape<typeof NearestRequestSchema>])[] = [
    ["lat", { lat: 90.001, lon: 0, limit: 1 }],
    ["lat", { lat: -91, lon: 0, limit: 1 }],
    ["lat", { lat: Number.NaN, lon: 0, limit: 1 }],
    ["lon", { lat: 0, lon: 180.001, limit: 1 }],
    ["lon", { lat: 0, lon: Number.NEGATIVE_INFINITY, limit: 1 }],
    ["limit", { lat: 0, lon: 0, limit: 0 }],
    ["limit", { lat: 0, lon: 0, limit: nearestLimitMax + 1 }],
  ];
  for (const [field, init] of refused) {
    it(`refuses ${JSON.stringify(init)} and names ${field}`, () => {
      assert.throws(
        () => service.nearest(nearest(init)),
        (error) =>
          error instanceof RpcError &&
          error.status === Status.INVALID_ARGUMENT &&
          error.message.includes(`${field} is `),
      );
    });
  }

  for (const init of [{ name: "Atlantis" }, { name: "bern", country: "us" }, { name: "" }]) {
    it(`does not find ${JSON.stringify(init)}`, () => {
      assert.throws(
        () => service.lookup(named(init)),
        (error) =>
          error instanceof RpcError &&
          error.status === Status.NOT_FOUND &&
          error.message.includes(`"${init.name}"`),
      );
    });
  }
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { describeCity } from "./describe-city.ts";
import { CitySchema } from "./gen/geo/v1/geo_pb.ts";

describe("describeCity", () => {
  it("shows distance, region, country and population", () => {
    const city = create(CitySchema, {
      name: "Zürich",
      country: "CH",
      admin: "ZH",
      population: 341730,
      distanceKm: 1.26,
    });
    assert.equal(describeCity(city), "   1.3 km  Zürich (ZH), Switzerland, 341,730 people");
  });
  it("leaves out what is not known or tells nothing", () => {
    const city = create(CitySchema, { name: "Tubou", country: "FJ", admin: "02" });
    assert.equal(describeCity(city), "Tubou, Fiji");
  });
});

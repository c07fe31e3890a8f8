import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { foldName } from "./fold-name.ts";

describe("foldName", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["Zürich", "zurich"],
    ["ZURICH", "zurich"],
    ["Zu\u0308rich", "zurich"],
    ["  Bern ", "bern"],
    ["São Tomé", "sao tome"],
    ["İstanbul", "istanbul"],
    ["Łódź", "lodz"],
    ["København", "kobenhavn"],
    ["Straßburg", "strassburg"],
    ["Saint-Denis", "saint denis"],
    ["N’Djamena", "ndjamena"],
    ["東京", "東京"],
  ];
  for (const [name, folded] of cases) {
    it(`turns ${JSON.stringify(name)} into ${JSON.stringify(folded)}`, () => {
      assert.equal(foldName(name), folded);
    });
  }

  it("changes nothing when applied again", () => {
    for (const [name] of cases) assert.equal(foldName(foldName(name)), foldName(name));
  });
});

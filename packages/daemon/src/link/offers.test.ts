import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeOffers } from "./offers.ts";

const hashOf = (digit: string): string => digit.repeat(64);

test("the same service of several runtimes is one offer", () => {
  const offers = [
    { name: "geo", service: "geo.v1.Geo", hashes: [hashOf("a")], instances: 2 },
    { name: "geo", service: "geo.v1.Other", hashes: [hashOf("b")], instances: 1 },
    { name: "geo", service: "geo.v1.Geo", hashes: [hashOf("a"), hashOf("c")], instances: 3 },
  ];
  const before = structuredClone(offers);
  assert.deepEqual(mergeOffers(offers), [
    { name: "geo", service: "geo.v1.Geo", hashes: [hashOf("a"), hashOf("c")], instances: 5 },
    { name: "geo", service: "geo.v1.Other", hashes: [hashOf("b")], instances: 1 },
  ]);
  assert.deepEqual(offers, before, "what a link remembers is not changed");
  assert.deepEqual(mergeOffers([]), []);
});

test("names that look alike when put together are different", () => {
  const offers = [
    { name: "a#b", service: "c", hashes: [], instances: 1 },
    { name: "a", service: "b#c", hashes: [], instances: 1 },
  ];
  assert.equal(mergeOffers(offers).length, 2);
});

test("a peer gets no more hashes than it takes", () => {
  const offers = Array.from({ length: 100 }, (_, index) => ({
    name: "geo",
    service: "geo.v1.Geo",
    hashes: [index.toString(16).padStart(64, "0")],
    instances: 1,
  }));
  const [merged] = mergeOffers(offers);
  assert.equal(merged?.hashes.length, 64);
  assert.equal(merged?.instances, 100);
});

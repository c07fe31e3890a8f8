import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { coldFrameBytesMax, offersMax, type ServiceOffer } from "@koala/protocol";
import { mergeOffers, offersInParts, offersOfOneFrame } from "./offers.ts";
import { ServiceList } from "./service-list.ts";

const hash = "ab".repeat(32);

function offersNamed(count: number, length: number): ServiceOffer[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${index}-`.padEnd(length, "n"),
    service: "s".repeat(length),
    hashes: [hash],
    instances: 1,
  }));
}

describe("ServiceList", () => {
  it("has a list once its last part is there", () => {
    const list = new ServiceList();
    const [first, second] = offersNamed(2, 10);
    list.set([second!]);
    assert.equal(list.take({ services: [first!], more: true }), "more");
    assert.equal(list.find(first!.name, first!.service), "no");
    assert.equal(list.find(second!.name, second!.service), "service");
    const copy = new ServiceList();
    copy.set(list.offers, list.unfinished());
    for (const each of [list, copy]) {
      assert.equal(each.take({ services: [] }), "done");
      assert.deepEqual(each.offers, [first]);
      assert.equal(each.find(first!.name, "other"), "name");
      assert.deepEqual(each.allNames(), [first!.name]);
      assert.equal(each.instances(first!.name, first!.service), 1);
      assert.equal(each.instances(second!.name, second!.service), 0);
    }
  });

  it("does not take a list without end", () => {
    const list = new ServiceList();
    const services = offersNamed(offersMax, 5);
    assert.equal(list.take({ services, more: true }), "more");
    assert.match(list.take({ services: services.slice(0, 1), more: true }), /more than/);
  });
});

describe("offersInParts", () => {
  it("carries as many as there may be of ordinary names, each part small enough for a frame", () => {
    const offers = mergeOffers(offersNamed(offersMax, 200));
    assert.equal(offers.length, offersMax);
    const parts = offersInParts(offers);
    assert.ok(parts.length > 1);
    for (const services of parts) {
      assert.ok(Buffer.byteLength(JSON.stringify({ services, more: true })) < coldFrameBytesMax);
    }
    assert.deepEqual(parts.flat(), offers);
  });

  it("makes one part of little, and of nothing", () => {
    assert.deepEqual(offersInParts([]), [[]]);
    assert.equal(offersInParts(offersNamed(1000, 20)).length, 1);
  });
});

describe("offersOfOneFrame", () => {
  it("leaves out the longest", () => {
    const offers = [...offersNamed(1000, 250), ...offersNamed(5, 10)];
    const some = offersOfOneFrame(offers);
    assert.ok(some.length > 5 && some.length < offers.length);
    assert.ok(Buffer.byteLength(JSON.stringify(some)) < coldFrameBytesMax);
    assert.equal(some[0]!.service.length, 10);
    assert.equal(offers.length, 1005);
  });
});

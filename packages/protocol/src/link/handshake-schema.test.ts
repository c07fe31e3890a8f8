import assert from "node:assert/strict";
import { test } from "node:test";
import { LINK_MAGIC, LINK_VERSION } from "./frame.ts";
import {
  bindSchema,
  describeSchema,
  goawaySchema,
  helloSchema,
  refusedSchema,
  servicesSchema,
} from "./handshake-schema.ts";

const hash = "0123456789abcdef".repeat(4);
const offer = { name: "geo", service: "geo.v1.Geo", hashes: [hash], instances: 2 };
const hello = {
  magic: LINK_MAGIC,
  version: LINK_VERSION,
  features: ["later"],
  name: "host-a",
  instance: "4c8a8f0e-52a3-4f5f-9f4e-3a4a6f1d2b3c/63",
  linkWindow: 65536,
  streamWindow: 65536,
  frameBytes: 65536,
  messageBytes: 1024,
  metadataBytes: 1024,
  services: [offer],
};

const caller = { app: "web", host: "", uid: 1000, labels: { team: "maps", "a.b/c": "" } };

const cases = {
  HELLO: { schema: helloSchema, good: hello },
  SERVICES: { schema: servicesSchema, good: { services: [offer, offer] } },
  BIND: { schema: bindSchema, good: { target: "geo", service: "geo.v1.Geo", hash, caller } },
  REFUSED: { schema: refusedSchema, good: { code: "ERR_X", status: 9, message: "no" } },
  DESCRIBE: { schema: describeSchema, good: { service: "geo.v1.Geo" } },
  GOAWAY: { schema: goawaySchema, good: { code: "ERR_X", reason: "no" } },
};

for (const [name, { schema, good }] of Object.entries(cases)) {
  test(`a ${name} is taken as it is, also from a newer daemon that says more`, () => {
    assert.deepEqual(schema.parse(good), good);
    assert.deepEqual(schema.parse({ ...good, later: 1 }), good);
  });

  test(`a ${name} with a key that is missing or wrong is refused`, () => {
    for (const key of Object.keys(good)) {
      const { [key]: _, ...rest } = good as Record<string, unknown>;
      assert.equal(schema.safeParse(rest).success, false, `without ${key}`);
      for (const value of [null, -1, 0.5, {}, true, ["", 1], "x".repeat(10_000)]) {
        const parsed = schema.safeParse({ ...good, [key]: value });
        assert.equal(parsed.success, false, `${key}: ${JSON.stringify(value)}`);
      }
    }
    for (const value of [null, undefined, 1, "text", []]) {
      assert.equal(schema.safeParse(value).success, false);
    }
  });
}

test("who calls is said in bounds", () => {
  const bind = { target: "geo", service: "geo.v1.Geo", hash };
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`label-${i}`, ""]));
  for (const wrong of [
    { labels: many },
    { labels: { "": "x" } },
    { labels: { team: 1 } },
    { labels: { team: "x".repeat(256) } },
    { uid: 0.5 },
    { app: "" },
  ]) {
    const result = bindSchema.safeParse({ ...bind, caller: { ...caller, ...wrong } });
    assert.equal(result.success, false, JSON.stringify(wrong).slice(0, 80));
  }
});

test("lists have an end", () => {
  const fits = { ...offer, hashes: new Array<string>(64).fill(hash) };
  const tooMany = { ...offer, hashes: new Array<string>(65).fill(hash) };
  assert.equal(servicesSchema.safeParse({ services: [fits] }).success, true);
  assert.equal(servicesSchema.safeParse({ services: [tooMany] }).success, false);
  const services = new Array<typeof offer>(4097).fill(offer);
  assert.equal(servicesSchema.safeParse({ services: services.slice(1) }).success, true);
  assert.equal(servicesSchema.safeParse({ services }).success, false);
  const features = new Array<string>(65).fill("x");
  assert.equal(helloSchema.safeParse({ ...hello, features }).success, false);
});

test("an answer that says no has a status that says no", () => {
  for (const status of [0, 17, -1, 1.5]) {
    const refused = { code: "ERR_X", status, message: "" };
    assert.equal(refusedSchema.safeParse(refused).success, false, String(status));
  }
});

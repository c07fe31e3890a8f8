import assert from "node:assert/strict";
import { test } from "node:test";
import { controlPacketBytesMax } from "./control.ts";
import { appRequestSchema } from "./control-schema.ts";

const hash = "0123456789abcdef".repeat(4);
const requests: Record<string, unknown>[] = [
  { op: "hello", version: 1, name: "app", library: "0.1.0", thread: 0 },
  { op: "bind", seq: 1, target: "geo", service: "geo.v1.Geo", hash, schemaBytes: 10 },
  { op: "serve", seq: 2, name: "geo", service: "geo.v1.Geo", hash, schemaBytes: 10 },
  { op: "unserve", seq: 3, export: 0 },
  { op: "describe", seq: 5, service: "geo.v1.Geo" },
  { op: "services", seq: 6, watch: false },
  { op: "grow", seq: 4, bytes: 65536 },
  { op: "shrink", region: 1 },
];

/** Values that no key takes. */
const wrong: readonly unknown[] = [null, -1, 1.5, "", "x".repeat(256), [], {}, Number.NaN, true];

for (const request of requests) {
  test(`${request["op"]} is taken as it is`, () => {
    assert.deepEqual(appRequestSchema.parse(request), request);
  });

  test(`${request["op"]} with a key too many, too few or wrong is refused`, () => {
    assert.equal(appRequestSchema.safeParse({ ...request, extra: 1 }).success, false);
    for (const key of Object.keys(request)) {
      const { [key]: _, ...rest } = request;
      assert.equal(appRequestSchema.safeParse(rest).success, false, `without ${key}`);
      for (const value of wrong) {
        // Versions of the future are told so, and a library need not say what it is.
        if (key === "version" && value === -1) continue;
        if (key === "library" && value === "") continue;
        if (key === "watch" && value === true) continue;
        const parsed = appRequestSchema.safeParse({ ...request, [key]: value });
        assert.equal(parsed.success, false, `${key}: ${JSON.stringify(value)}`);
      }
    }
  });
}

test("what is no request is refused", () => {
  for (const value of [...wrong, { op: "drain" }, { op: "__proto__" }, undefined, requests]) {
    assert.equal(appRequestSchema.safeParse(value).success, false, JSON.stringify(value));
  }
});

test("hashes are SHA-256 in lower case", () => {
  for (const bad of [hash.slice(1), `${hash}0`, hash.toUpperCase(), hash.replace("0", "g")]) {
    assert.equal(appRequestSchema.safeParse({ ...requests[1], hash: bad }).success, false, bad);
  }
});

test("the longest request fits into a packet", () => {
  // A character of a name takes up to six bytes as JSON.
  const longest = { ...requests[1], target: "\u0000".repeat(255), service: "\u0000".repeat(255) };
  assert.equal(appRequestSchema.safeParse(longest).success, true);
  assert.ok(Buffer.byteLength(JSON.stringify(longest)) < controlPacketBytesMax);
});

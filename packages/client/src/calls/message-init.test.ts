import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals } from "@bufbuild/protobuf";
import { FeatureSetSchema, TimestampSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { SayRequestSchema } from "../gen/echo/v1/echo_pb.ts";
import { completerFor } from "./message-init.ts";

const complete = completerFor(SayRequestSchema);

test("completes what create() completes, to the same message", () => {
  const inits = [
    {},
    { text: "a", number: 1 },
    { body: new Uint8Array([1, 2]), tags: ["x"] },
    { inner: { value: 2 } },
    { inner: { value: 2, flag: true }, inners: [{}, { value: 1 }] },
    { choice: { case: "big" as const, value: 7n } },
    { choice: { case: "other" as const, value: { value: 3 } } },
    { named: { a: { value: 1 }, b: {} } },
    { maybe: 0 },
  ];
  for (const init of inits) {
    const expected = create(SayRequestSchema, init);
    const made = complete(init) as typeof expected;
    assert.ok(equals(SayRequestSchema, made, expected), JSON.stringify(Object.keys(init)));
  }
});

test("a whole message stays itself", () => {
  const message = create(SayRequestSchema, { text: "a" });
  assert.equal(complete(message), message);
});

test("fresh lists and maps for each message", () => {
  const one = complete({}) as { tags: string[]; named: object };
  const other = complete({}) as { tags: string[]; named: object };
  assert.notEqual(one.tags, other.tags);
  assert.notEqual(one.named, other.named);
});

test("what is no object is refused with the type's name", () => {
  for (const init of [undefined, null, 5, "text"]) {
    assert.throws(() => complete(init), /expected a message echo\.v1\.SayRequest/);
  }
});

test("messages with a prototype and recursive ones", () => {
  const features = completerFor(FeatureSetSchema)({ fieldPresence: 1 }) as object;
  assert.ok(Object.hasOwn(features, "fieldPresence"));
  assert.ok(!Object.hasOwn(features, "enumType"));

  const time = completerFor(TimestampSchema)({ seconds: 5n }) as { nanos: number };
  assert.equal(time.nanos, 0);

  const init = { kind: { case: "stringValue" as const, value: "x" } };
  const value = completerFor(ValueSchema)(init) as ReturnType<typeof create<typeof ValueSchema>>;
  assert.ok(equals(ValueSchema, value, create(ValueSchema, init)));
});

test("a map key named __proto__ is an entry like others", () => {
  const named = JSON.parse('{"__proto__": {"value": 4}}');
  const made = complete({ named }) as { named: Record<string, { value: number }> };
  assert.deepEqual(Object.keys(made.named), ["__proto__"]);
  assert.equal(Object.getPrototypeOf(made.named), Object.prototype);
});

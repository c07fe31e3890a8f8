import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeMetadata, encodeMetadata, type MetadataEntry } from "./metadata.ts";

const key = fc.stringMatching(/^[0-9a-z_.-]{1,128}$/).filter((name) => !name.endsWith("-bin"));
const text: fc.Arbitrary<MetadataEntry> = fc.tuple(key, fc.string({ unit: "binary" }));
const binary: fc.Arbitrary<MetadataEntry> = fc
  .tuple(
    key.map((name) => `${name.slice(0, 124)}-bin`),
    fc.uint8Array(),
  )
  .map(([name, value]) => [name, value]);

test("entries come back as they were, in their order", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(text, binary)), (entries) => {
      assert.deepEqual(decodeMetadata(encodeMetadata(entries)), entries);
    }),
  );
});

test("the bytes are those of the format", () => {
  const bytes = encodeMetadata([
    ["a", "é"],
    ["b-bin", new Uint8Array([255])],
  ]);
  const expected = [1, 0, 0, 0, 2, 0, 0, 0, 97, 0xc3, 0xa9];
  assert.deepEqual([...bytes], [...expected, 5, 0, 0, 0, 1, 0, 0, 0, ...Buffer.from("b-bin"), 255]);
  assert.equal(encodeMetadata([]).length, 0);
  assert.deepEqual(decodeMetadata(new Uint8Array(0)), []);
});

test("a byte order mark at the start of a value stays", () => {
  assert.deepEqual(decodeMetadata(encodeMetadata([["a", "\ufeffx"]])), [["a", "\ufeffx"]]);
});

test("binary values are copied out", () => {
  const bytes = encodeMetadata([["a-bin", new Uint8Array([1, 2])]]);
  const decoded = decodeMetadata(bytes);
  bytes.fill(0);
  assert.deepEqual(decoded, [["a-bin", new Uint8Array([1, 2])]]);
});

for (const name of ["", "A", "a b", "ä", "a:b", "x".repeat(129)]) {
  test(`the key ${JSON.stringify(name.slice(0, 10))} is refused`, () => {
    assert.throws(() => encodeMetadata([[name, ""]]), RangeError);
  });
}

test("a value of the wrong kind is refused, and named", () => {
  assert.throws(() => encodeMetadata([["a-bin", "text"]]), /metadata a-bin: expected a Uint8Array/);
  assert.throws(() => encodeMetadata([["a", new Uint8Array(1)]]), /metadata a: expected a string/);
});

test("bytes that are cut off are no metadata", () => {
  const bytes = encodeMetadata([
    ["first", "value"],
    ["second-bin", new Uint8Array(20)],
  ]);
  const firstLength = 8 + "first".length + "value".length;
  for (let length = 1; length < bytes.length; length++) {
    const decoded = decodeMetadata(bytes.subarray(0, length));
    if (length === firstLength) assert.deepEqual(decoded, [["first", "value"]]);
    else assert.equal(decoded, undefined, `${length} bytes`);
  }
});

test("lengths that lie are refused", () => {
  const bytes = encodeMetadata([["key", "value"]]);
  const view = new DataView(bytes.buffer);
  for (const length of [6, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    view.setUint32(4, length, true);
    assert.equal(decodeMetadata(bytes), undefined, `value of ${length} bytes`);
  }
  view.setUint32(4, 5, true);
  view.setUint16(0, 0, true);
  assert.equal(decodeMetadata(bytes), undefined, "no key");
});

test("any bytes are metadata or are not, without an exception", () => {
  const start = fc.constantFrom(...[[], [1, 0, 0, 0, 1, 0, 0, 0, 97], [2, 0, 0, 0, 0, 0, 0, 0]]);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 64 }), (first, rest) => {
      const decoded = decodeMetadata(new Uint8Array([...first, ...rest]));
      if (decoded === undefined) return;
      // What is understood can be said again, though text that is no UTF-8 is not the same then.
      assert.deepEqual(decodeMetadata(encodeMetadata(decoded)), decoded);
    }),
  );
});

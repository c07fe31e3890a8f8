import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { KoalaError } from "@koala/interface";
import { descriptorSet } from "./fake-daemon-helper.test.ts";
import { requestFromJson } from "./json-request.ts";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
const desc = registry.getMessage("test.v1.Route")!;

/** Why the request is refused. */
function refusal(text: string): string {
  try {
    requestFromJson(text, { desc, registry });
  } catch (error) {
    assert.ok(error instanceof KoalaError && error.code === "ERR_CTL_JSON", String(error));
    return error.message;
  }
  return assert.fail("it was taken");
}

describe("requestFromJson", () => {
  it("reads what protobuf's JSON allows", () => {
    const text = `{ "name": "a", "stops": [{ "lat": 1.5, "stop_count": 2 }, { "stopCount": "3" }],
      "byName": { "x": { "kind": "KIND_BUS" } }, "first": null }`;
    const json = toJson(desc, requestFromJson(text, { desc, registry }));
    assert.deepEqual(json, {
      name: "a",
      stops: [{ lat: 1.5, stopCount: 2 }, { stopCount: 3 }],
      byName: { x: { kind: "KIND_BUS" } },
    });
  });

  it("says the line and column of what is no JSON", () => {
    assert.match(refusal('{\n  "name": "a",\n  "stops": [1, 2\n}'), /line 4, column 1: /);
    assert.match(refusal(""), /is not JSON: .*end of JSON input/);
  });

  it("says the way to a wrong value", () => {
    const cases: [string, RegExp][] = [
      ['{"name": 1}', /\(test\.v1\.Route\): name: .*string/],
      ['{"first": {"lat": "x"}}', /: first\.lat: .*number/],
      [
        '{"name": "a", "stops": [{}, {"lat": 1}, {"stop_count": 1.5}]}',
        /: stops\[2\]\.stop_count: /,
      ],
      ['{"byName": {"a b": {"kind": "KIND_NO"}}}', /: byName\["a b"\]\.kind: /],
      ['{"next": {"next": {"first": 7}}}', /: next\.next\.first: /],
      ['{"stops": {}}', /: stops: /],
      ["[]", /\(test\.v1\.Route\): cannot decode/],
    ];
    for (const [text, expected] of cases) assert.match(refusal(text), expected);
  });

  it("says which field there is not, and which there are", () => {
    assert.match(
      refusal('{"next": {"stops": [{"lng": 1}]}}'),
      /: next\.stops\[0\]: there is no field "lng"; there are: lat, stopCount, kind$/,
    );
  });
});

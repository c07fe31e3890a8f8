import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  create,
  createFileRegistry,
  type DescField,
  fromJson,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { type Redaction, redactJson } from "./redaction.ts";

const hidden = { debugRedact: true };
const text = { label: Label.OPTIONAL, type: Type.STRING };

// proto2, for extensions; what proto3 has is in tests/src/daemon/observe.test.ts.
const set = create(FileDescriptorSetSchema, {
  file: [
    {
      name: "r.proto",
      package: "r.v1",
      syntax: "proto2",
      messageType: [
        {
          name: "Part",
          field: [
            { name: "shown", jsonName: "shown", number: 1, ...text },
            { name: "not_shown", jsonName: "notShown", number: 2, ...text, options: hidden },
          ],
        },
        {
          name: "Whole",
          field: [
            {
              ...{ name: "group_of", jsonName: "groupOf", number: 1, type: Type.MESSAGE },
              ...{ label: Label.REPEATED, typeName: ".r.v1.Part" },
            },
          ],
          extensionRange: [{ start: 100, end: 200 }],
        },
      ],
      extension: [
        { name: "secret", number: 100, ...text, extendee: ".r.v1.Whole", options: hidden },
        { name: "open", number: 101, ...text, extendee: ".r.v1.Whole" },
        {
          ...{ name: "parts", number: 102, type: Type.MESSAGE, typeName: ".r.v1.Part" },
          ...{ label: Label.REPEATED, extendee: ".r.v1.Whole" },
        },
      ],
    },
  ],
});
const registry = createFileRegistry(set);
const whole = registry.getMessage("r.v1.Whole")!;
const redaction: Redaction = {
  registry,
  isRedacted: (field: DescField) => field.proto.options?.debugRedact === true,
};

describe("redactJson", () => {
  it("hides extensions, and what is in them", () => {
    const json: JsonValue = {
      groupOf: [{ shown: "a", notShown: "b" }, {}],
      "[r.v1.secret]": "c",
      "[r.v1.open]": "d",
      "[r.v1.parts]": [{ shown: "e", notShown: "f" }],
    };
    const message = fromJson(whole, json, { registry });
    assert.deepEqual(redactJson(toJson(whole, message, { registry }), whole, redaction), {
      groupOf: [{ shown: "a", notShown: "[redacted]" }, {}],
      "[r.v1.secret]": "[redacted]",
      "[r.v1.open]": "d",
      "[r.v1.parts]": [{ shown: "e", notShown: "[redacted]" }],
    });
  });

  it("leaves what is not there as it is", () => {
    assert.deepEqual(redactJson({}, whole, redaction), {});
    assert.equal(redactJson(null, whole, redaction), null);
  });
});

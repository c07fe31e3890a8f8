import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { serviceSchemaFrom, serviceSchemaOf } from "@koala/schema";
import { createTempDirectory, type Ending } from "@koala/testing";
import { descriptorFor } from "./service-descriptor.ts";

const other = `
  syntax = "proto3";
  package other.v1;
  message Shared { string text = 1; }
  enum Mood { MOOD_UNKNOWN = 0; MOOD_GOOD = 1; }
`;

const main = `
  syntax = "proto3";
  package main.deep.v1;
  ${imports("other.proto", "google/protobuf/timestamp.proto")}
  message Inner { int32 top_level = 1; }
  message Request {
    message Nested {
      message Deeper { Request back = 1; }
      Deeper deeper_one = 1;
      Nested self = 2;
    }
    Nested nested_one = 1;
    map<string, Nested> by_long_name = 2;
    map<int32, other.v1.Mood> moods = 3;
    optional string maybe_text = 4;
    oneof real_choice { int32 choice_one = 5; other.v1.Shared choice_two = 6; }
    optional Inner maybe_inner = 7;
    google.protobuf.Timestamp at_time = 8;
    repeated other.v1.Mood many_moods = 9;
  }
  service Things { rpc Do (Request) returns (stream other.v1.Shared); }
`;

/** The definition that proto-loader makes of files. */
function load(
  test: Ending,
  files: Readonly<Record<string, string>>,
  service: string,
  keepCase = false,
): ServiceDefinition {
  const folder = createTempDirectory(test);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const options = { includeDirs: [folder], keepCase };
  return loadSync(Object.keys(files)[0]!, options)[service] as ServiceDefinition;
}

function field(message: DescMessage, name: string): DescField {
  const found = message.fields.find((each) => each.name === name);
  assert.ok(found, `${name} is not among ${message.fields.map((each) => each.name)}`);
  return found;
}

describe("descriptors of proto-loader", () => {
  for (const keepCase of [false, true]) {
    it(`say what the files said, keepCase ${keepCase}`, (t) => {
      const files = { "main.proto": main, "other.proto": other };
      const things = descriptorFor(load(t, files, "main.deep.v1.Things", keepCase), []);
      const [method] = things.methods;
      assert.equal(method?.methodKind, "server_streaming");
      assert.equal(method.output.typeName, "other.v1.Shared");
      const request = method.input;
      assert.deepEqual(
        request.fields.map(({ name }) => name),
        [
          "nested_one",
          "by_long_name",
          "moods",
          "maybe_text",
          "choice_one",
          "choice_two",
          "maybe_inner",
          "at_time",
          "many_moods",
        ],
      );
      assert.deepEqual(
        request.oneofs.map(({ name, fields }) => [name, fields.length]),
        [["real_choice", 2]],
      );
      const text = field(request, "maybe_text");
      assert.deepEqual([text.oneof, text.proto.proto3Optional], [undefined, true]);
      assert.equal(field(request, "maybe_inner").message?.typeName, "main.deep.v1.Inner");
      assert.equal(field(request, "at_time").message?.typeName, "google.protobuf.Timestamp");
      assert.equal(field(request, "many_moods").enum?.typeName, "other.v1.Mood");
      const byName = field(request, "by_long_name");
      assert.ok(byName.fieldKind === "map" && byName.mapKind === "message");
      assert.equal(byName.message.typeName, "main.deep.v1.Request.Nested");
      assert.equal(byName.proto.typeName, ".main.deep.v1.Request.ByLongNameEntry");
      const nested = field(request, "nested_one").message!;
      assert.equal(field(nested, "self").message, nested);
      const deeper = field(nested, "deeper_one").message!;
      assert.equal(field(deeper, "back").message, request);
    });
  }

  it("leave extensions out, of options and within messages", (t) => {
    const file = `
      syntax = "proto3";
      package ext.v1;
      ${imports("google/protobuf/descriptor.proto", "google/protobuf/timestamp.proto")}
      extend google.protobuf.FieldOptions { string hint = 50001; }
      message Ask {
        extend google.protobuf.MessageOptions { bool odd = 50002; }
        string text = 1 [(hint) = "long"];
        google.protobuf.Timestamp at = 2;
      }
      service Asks { rpc Do (Ask) returns (Ask); }
    `;
    const desc = descriptorFor(load(t, { "ext.proto": file }, "ext.v1.Asks"), []);
    assert.deepEqual(
      desc.methods[0]?.input.fields.map(({ name }) => name),
      ["text", "at"],
    );
    // What the daemon would make of it.
    const { descriptorSet, hash } = serviceSchemaOf(desc);
    assert.equal(serviceSchemaFrom(descriptorSet, desc.typeName).hash, hash);
  });

  it("are refused when a name may mean two types", (t) => {
    const file = `
      syntax = "proto3";
      package two.v1;
      message Part { string outer = 1; }
      message Whole {
        message Part { int32 inner = 1; }
        .two.v1.Part part = 1;
      }
      service Wholes { rpc Do (Whole) returns (Part); }
    `;
    assert.throws(() => descriptorFor(load(t, { "two.proto": file }, "two.v1.Wholes"), []), {
      code: "ERR_GRPCJS_DESCRIPTORS",
      message: /Part may be two\.v1\.Whole\.Part or two\.v1\.Part.*buf build/,
    });
  });
});

/** Made, because the checks of the repository take such lines for imports of this file. */
function imports(...names: string[]): string {
  return names.map((name) => `import ${JSON.stringify(name)};`).join(" ");
}

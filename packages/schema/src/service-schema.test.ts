import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { KoalaError } from "@koala/interface";
import { codecFor } from "./codec.ts";
import { compareServices } from "./compare-services.ts";
import { field, messageOf, setOf, T } from "./descriptor-helper.test.ts";
import * as v1 from "./gen/evolve/v1/evolve_pb.ts";
import { NearbyRequestSchema, Search } from "./gen/hotel/v1/hotel_pb.ts";
import { Kitchen, Kitchen3Schema } from "./gen/test/v1/kitchen_proto3_pb.ts";
import { boxed, diceOf, randomMessage, validated } from "./message-box-helper.test.ts";
import { serviceSchemaOf } from "./service-schema.ts";
import { transcoderFor } from "./transcoder.ts";
import { serviceSchemaFrom } from "./untrusted-service.ts";

describe("service schema", () => {
  it("lists the methods of a generated service", () => {
    const schema = serviceSchemaOf(Search);
    assert.equal(schema.typeName, "hotel.v1.Search");
    const rows = schema.methods.map(({ name, index, kind, idempotent }) => [
      name,
      index,
      kind,
      idempotent,
    ]);
    assert.deepEqual(rows, [
      ["Nearby", 0, "unary", true],
      ["Watch", 1, "server_streaming", false],
    ]);
    assert.equal(schema.methods[0]!.input, codecFor(NearbyRequestSchema));
    assert.match(schema.hash, /^[0-9a-f]{64}$/);
    assert.equal(serviceSchemaOf(Search), schema);
  });

  it("is the same on the daemon's side, from the bytes", () => {
    for (const service of [Search, Kitchen]) {
      const schema = serviceSchemaOf(service);
      const other = serviceSchemaFrom(schema.descriptorSet, service.typeName);
      assert.equal(other.hash, schema.hash);
      const { identical, methods } = compareServices(schema, other);
      assert.ok(identical);
      assert.ok(methods.every((m) => m.request === null && m.response === null));
    }
  });

  it("validates on one side what was written on the other", () => {
    const schema = serviceSchemaOf(Kitchen);
    const { input } = serviceSchemaFrom(schema.descriptorSet, Kitchen.typeName).methods[0]!;
    const message = randomMessage(Kitchen3Schema, diceOf(7), 3, 9);
    assert.equal(validated(input, boxed(codecFor(Kitchen3Schema), message)), 0);
  });

  it("shares codecs between registrations of the same schema", () => {
    const { descriptorSet } = serviceSchemaOf(Search);
    const [one, two] = [0, 1].map(() => serviceSchemaFrom(descriptorSet, "hotel.v1.Search"));
    assert.equal(one!.methods[0]!.output, two!.methods[0]!.output);
  });

  it("leaves comments out of the descriptor set", () => {
    const { descriptorSet } = serviceSchemaOf(Search);
    const { file } = fromBinary(FileDescriptorSetSchema, descriptorSet);
    assert.ok(file.every((f) => f.sourceCodeInfo === undefined));
  });
});

/** The older service with some text of its descriptor set replaced by as many other letters. */
function edited(from: string, to: string): ReturnType<typeof serviceSchemaFrom> {
  const set = fromBinary(FileDescriptorSetSchema, serviceSchemaOf(v1.Evolving).descriptorSet);
  const text = Buffer.from(toBinary(FileDescriptorSetSchema, set)).toString("latin1");
  const bytes = Buffer.from(text.replaceAll(from, to), "latin1");
  return serviceSchemaFrom(bytes, "evolve.v1.Evolving");
}

describe("compareServices", () => {
  const client = serviceSchemaOf(v1.Evolving);

  it("matches methods by name and says which the server lacks", () => {
    const { identical, methods } = compareServices(client, edited("OnlyOld", "OnlyNew"));
    assert.ok(!identical);
    assert.deepEqual(
      methods.map((m) => [m.clientIndex, m.serverIndex]),
      [
        [0, 0],
        [1, 1],
        [2, -1],
      ],
    );
  });

  it("needs no transcoder when only names differ", () => {
    const { methods } = compareServices(client, edited("dropped_bytes", "renamedXbytes"));
    assert.equal(methods[1]!.request, null);
  });

  it("refuses a method that streams on one side only", () => {
    const set = fromBinary(FileDescriptorSetSchema, client.descriptorSet);
    set.file[0]!.service[0]!.method[0]!.serverStreaming = true;
    const bytes = toBinary(FileDescriptorSetSchema, set);
    const server = serviceSchemaFrom(bytes, "evolve.v1.Evolving");
    assert.throws(() => compareServices(client, server), {
      code: "ERR_SCHEMA_CONFLICT",
      message: /evolve\.v1\.Evolving\/Same: is unary for the client and server_streaming/,
    });
  });

  it("refuses two different services", () => {
    const other = serviceSchemaOf(Search);
    assert.throws(() => compareServices(client, other), { code: "ERR_SCHEMA_CONFLICT" });
  });
});

describe("conflicts", () => {
  const nested = { name: "Leaf", field: [field("x", 1, T.int32)] };
  const kind = { name: "Kind", value: [{ name: "ZERO", number: 0 }] };
  const typed = (type: number, more = {}) => {
    const m = { name: "M", field: [field("value", 7, type, more)] };
    const file = {
      name: `p/${type}.proto`,
      package: "p",
      messageType: [m, nested],
      enumType: [kind],
    };
    return codecFor(messageOf(file, "p.M"));
  };
  const repeated = { label: 3 };
  const leaf = { typeName: ".p.Leaf" };
  const cases: [string, ReturnType<typeof typed>, ReturnType<typeof typed>, RegExp][] = [
    ["int32 and string", typed(T.int32), typed(T.string), /is string here and int32 in the other/],
    ["int32 and double", typed(T.int32), typed(T.double), /is double here and int32 in/],
    ["int32 and sint32", typed(T.int32), typed(17), /is sint32 here and int32 in/],
    ["int32 and fixed32", typed(T.int32), typed(7), /is fixed32 here and int32 in/],
    ["float and double", typed(T.float), typed(T.double), /is double here and float in/],
    [
      "string and message",
      typed(T.string),
      typed(T.message, leaf),
      /is message p\.Leaf here and string/,
    ],
    [
      "bytes and message",
      typed(T.bytes),
      typed(T.message, leaf),
      /is message p\.Leaf here and bytes/,
    ],
    [
      "lists",
      typed(T.int32, repeated),
      typed(T.string, repeated),
      /repeated string here and repeated int32/,
    ],
  ];
  for (const [name, one, other, message] of cases) {
    it(`says that ${name} can't meet`, () => {
      const where = /p\/\d+\.proto: p\.M\.value \(7\) is .*\(value in p\/\d+\.proto\)/;
      assert.throws(() => transcoderFor(one, other), {
        code: "ERR_SCHEMA_CONFLICT",
        message: where,
      });
      assert.throws(() => transcoderFor(one, other), { message });
      assert.throws(() => transcoderFor(other, one), KoalaError);
    });
  }

  it("says that a required field is missing", () => {
    const proto2 = (fields: ReturnType<typeof field>[]) => {
      const messageType = [{ name: "M", field: fields }];
      return codecFor(messageOf({ syntax: "", package: "p", messageType }, "p.M"));
    };
    const [without, having] = [proto2([]), proto2([field("must", 3, T.bool, { label: 2 })])];
    const message = /test\.proto: p\.M\.must \(3\) is required, and the other version/;
    assert.throws(() => transcoderFor(without, having), { code: "ERR_SCHEMA_CONFLICT", message });
    assert.ok(transcoderFor(having, without) !== null);
  });

  it("finds a conflict deep inside", () => {
    const deep = (type: number) => {
      const messageType = [
        { name: "A", field: [field("b", 1, T.message, { typeName: ".p.B" })] },
        {
          name: "B",
          field: [field("a", 1, T.message, { typeName: ".p.A" }), field("bad", 2, type)],
        },
      ];
      return codecFor(messageOf({ package: "p", messageType }, "p.A"));
    };
    const message = /p\.B\.bad \(2\)/;
    assert.throws(() => transcoderFor(deep(T.bool), deep(T.bytes)), { message });
  });
});

void [create, setOf];

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openMemory } from "@koala/shm";
import { codecFor } from "./codec.ts";
import {
  type FieldInit,
  type FileInit,
  field,
  messageOf,
  setOf,
  T,
} from "./descriptor-helper.test.ts";
import { Kitchen } from "./gen/test/v1/kitchen_proto3_pb.ts";
import { descriptorBytesMax } from "./limits.ts";
import { boxed, diceOf, randomMessage, validated } from "./message-box-helper.test.ts";
import { serviceSchemaOf } from "./service-schema.ts";
import { serviceSchemaFrom } from "./untrusted-service.ts";
import { setOwn } from "./well-known.ts";

const service = [{ name: "S", method: [{ name: "Call", inputType: ".p.M", outputType: ".p.M" }] }];

function fileWith(fields: FieldInit[], more: FileInit = {}): FileInit {
  return { package: "p", messageType: [{ name: "M", field: fields }], service, ...more };
}

function refuses(files: FileInit[], message: RegExp): void {
  const expected = { code: "ERR_SCHEMA_DESCRIPTOR", message };
  assert.throws(() => serviceSchemaFrom(setOf(...files), "p.S"), expected);
}

describe("descriptors from a peer", () => {
  it("are taken when they are in order", () => {
    const schema = serviceSchemaFrom(setOf(fileWith([field("a", 1, T.int32)])), "p.S");
    assert.equal(schema.methods[0]!.input.typeName, "p.M");
  });

  it("are refused when they are no descriptors", () => {
    const bytes = new Uint8Array([1, 2, 3, 255]);
    const expected = { code: "ERR_SCHEMA_DESCRIPTOR", message: /not a google\.protobuf/ };
    assert.throws(() => serviceSchemaFrom(bytes, "p.S"), expected);
    assert.throws(() => serviceSchemaFrom(new Uint8Array(descriptorBytesMax + 1), "p.S"), {
      message: /has 1048577 bytes, at most 1048576/,
    });
  });

  it("are refused without the service", () => {
    const file = fileWith([]);
    const expected = { message: /has no service "p\.Other"/ };
    assert.throws(() => serviceSchemaFrom(setOf(file), "p.Other"), expected);
  });

  it("are refused when files import each other in a cycle, or what is not there", () => {
    const [a, b] = [
      fileWith([], { name: "a.proto", dependency: ["b.proto"] }),
      { name: "b.proto" },
    ];
    refuses(
      [a, { ...b, dependency: ["a.proto"] }],
      /a\.proto: imports "b\.proto", which comes later/,
    );
    refuses([a], /a\.proto: imports "b\.proto", which is not in the set/);
    refuses([{ ...a, dependency: ["a.proto"] }], /a\.proto: imports "a\.proto"/);
    refuses([fileWith([]), fileWith([])], /test\.proto: is in the set twice/);
  });

  it("are refused when a type is missing or of the wrong kind", () => {
    const refer = (type: number, typeName: string) => [
      fileWith([field("f", 1, type, { typeName })]),
    ];
    refuses(
      refer(T.message, ".p.Gone"),
      /test\.proto: p\.M\.f: refers to "\.p\.Gone", which is not/,
    );
    refuses(refer(T.enum, ".p.M"), /p\.M\.f: refers to "\.p\.M", which is no enum/);
    refuses(refer(T.message, ".p.S"), /p\.M\.f: refers to "\.p\.S", which is no message/);
    const method = [
      { name: "S", method: [{ name: "Call", inputType: ".p.X", outputType: ".p.M" }] },
    ];
    refuses([fileWith([], { service: method })], /test\.proto: p\.S\/Call: refers to "\.p\.X"/);
  });

  it("are refused with bad numbers, types and labels", () => {
    refuses([fileWith([field("f", 0, T.int32)])], /p\.M\.f: field number 0 is not in/);
    refuses([fileWith([field("f", 2 ** 29, T.int32)])], /field number 536870912 is not in/);
    const same = [field("f", 1, T.int32), field("g", 1, T.int32)];
    refuses([fileWith(same)], /p\.M\.g: field number 1 is used twice/);
    refuses(
      [fileWith([field("f", 1, T.int32), field("f", 2, T.int32)])],
      /p\.M\.f: the name is used/,
    );
    refuses([fileWith([field("f", 1, 77)])], /p\.M\.f: its type is not one/);
    refuses([fileWith([field("f", 1, T.int32, { oneofIndex: 3 })])], /oneof 3 does not exist/);
  });

  it("are refused with enums and maps that no compiler makes", () => {
    const enums = { enumType: [{ name: "E", value: [] }] };
    refuses([fileWith([], enums)], /test\.proto: enum p\.E has no values/);
    const entry = {
      name: "FEntry",
      options: { mapEntry: true },
      field: [field("key", 1, T.double)],
    };
    const messageType = [{ name: "M", nestedType: [entry] }];
    refuses([fileWith([], { messageType })], /p\.M\.FEntry is not what a map field makes/);
  });

  const badNames = ['a"; throw 1; "', "a\nb", "a`b`", "", "a.b", "__proto__ ", "1a", "ä"];
  for (const name of badNames) {
    it(`are refused with the name ${JSON.stringify(name)}`, () => {
      refuses([fileWith([field(name, 1, T.int32)])], /is not a name for a field/);
      refuses(
        [fileWith([], { messageType: [{ name }, { name: "M" }] })],
        /is not a name for a message/,
      );
    });
  }

  it("are refused when there is too much of anything", () => {
    const fields = Array.from({ length: 2001 }, (_, i) => field(`f${i}`, i + 1, T.int32));
    refuses([fileWith(fields)], /test\.proto: p\.M: has 2001 fields, at most 2000/);
    const many = Array.from({ length: 3000 }, (_, i) => ({ name: `M${i}` }));
    refuses([fileWith([], { messageType: many })], /message types so far, at most 2048/);
    const files = Array.from({ length: 300 }, (_, i) => ({ name: `f${i}.proto` }));
    refuses(files, /has 300 files, at most 256/);
    const methods = Array.from({ length: 300 }, (_, i) => ({
      ...service[0]!.method[0]!,
      name: `C${i}`,
    }));
    refuses([fileWith([], { service: [{ name: "S", method: methods }] })], /has 300 methods/);
  });

  it("are refused when their methods reach too many types", () => {
    // 256 methods over a chain of 2,000 types: each method would generate code for all below it.
    const messageType = Array.from({ length: 2000 }, (_, i) => ({
      name: i === 0 ? "M" : `M${i}`,
      field: i < 1999 ? [field("next", 1, T.message, { typeName: `.p.M${i + 1}` })] : [],
    }));
    const method = Array.from({ length: 256 }, (_, i) => ({
      name: `C${i}`,
      inputType: i === 0 ? ".p.M" : `.p.M${i}`,
      outputType: ".p.M",
    }));
    refuses([fileWith([], { messageType, service: [{ name: "S", method }] })], /reaches too many/);
    // One method over all of them is fine.
    const one = [{ name: "S", method: [method[0]!] }];
    const schema = serviceSchemaFrom(setOf(fileWith([], { messageType, service: one })), "p.S");
    const { input } = schema.methods[0]!;
    const memory = openMemory(new ArrayBuffer(64));
    assert.ok(input.validate(memory, 0, input.rootBytes + 8, new Int32Array(0), 0) > 0);
  });

  it("never crash the check when bytes are changed at random", () => {
    const seed = Number(process.env["FUZZ_SEED"] ?? 4711);
    const dice = diceOf(seed);
    const { descriptorSet } = serviceSchemaOf(Kitchen);
    for (let round = 0; round < 300; round++) {
      const bytes = descriptorSet.slice();
      for (let i = dice(4); i >= 0; i--) bytes[dice(bytes.length - 1)] = dice(255);
      try {
        serviceSchemaFrom(bytes, "test.v1.Kitchen");
      } catch (error) {
        const { code } = error as { code?: string };
        assert.equal(code, "ERR_SCHEMA_DESCRIPTOR", `FUZZ_SEED=${seed} round ${round}: ${error}`);
      }
    }
  });
});

describe("generated code", () => {
  // Names that no compiler lets through; codecFor() takes descriptors from anywhere.
  const evil = [
    '"];globalThis.injected=1;["',
    "\\",
    `\`\${globalThis.injected=1}\``,
    "a\n}\nglobalThis.injected=1;{",
    "*/globalThis.injected=1/*",
    "\u2028globalThis.injected=1",
    "'+(globalThis.injected=1)+'",
    "$typeName2",
    "has own",
    "\ud800",
    "__proto__",
    "constructor",
  ];
  it("takes names as data", () => {
    const fields = evil.map((_, i) => field(`f${i}`, i + 1, T.string));
    const cases = evil.map((_, i) => field(`o${i}`, i + 50, T.bytes, { oneofIndex: 0 }));
    const messageType = [
      { name: "M", field: [...fields, ...cases], oneofDecl: [{ name: "pick" }] },
    ];
    const desc = messageOf({ package: "p", messageType }, "p.M");
    const rename = (target: object, name: string): void => {
      for (const key of ["name", "localName", "typeName", "jsonName"]) {
        if (key in target) Object.defineProperty(target, key, { value: name });
      }
    };
    rename(desc, 'p";globalThis.injected=1;"');
    rename(desc.oneofs[0]!, '"}];globalThis.injected=1;[{"');
    for (const [i, each] of desc.fields.entries()) {
      rename(each, i < evil.length ? evil[i]! : `o${evil[i - evil.length]}`);
    }
    const codec = codecFor(desc);
    for (let seed = 0; seed < 20; seed++) {
      const message = randomMessage(desc, diceOf(seed), 1, 8);
      // protobuf-es can't make this one: its assignment would set the prototype.
      if (!Object.hasOwn(message, "__proto__")) setOwn(message, "__proto__", "");
      const box = boxed(codec, message);
      assert.equal(validated(codec, box), 0);
      const read = codec.read(box.memory, box.offset, box.inlineLength) as Record<string, unknown>;
      const view = codec.view(box.memory, box.offset, box.inlineLength) as Record<string, unknown>;
      for (const { localName } of [...desc.fields.slice(0, evil.length), ...desc.oneofs]) {
        assert.deepEqual(view[localName], read[localName]);
        const original = (message as unknown as Record<string, unknown>)[localName];
        if (typeof original !== "string" || original !== "\ud800") {
          assert.deepEqual(read[localName], original);
        }
      }
    }
    assert.ok(!("injected" in globalThis));
  });
});

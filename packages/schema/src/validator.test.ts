/**
 * 1. Write a random valid message.
 * 2. Damage it: flip bytes, set words to awkward values, cut it, or replace it by garbage.
 * 3. The validator says yes or no. It does not throw, and it does not change anything.
 * 4. What it lets through can be read and viewed in full without throwing, and written again.
 * The seed is FUZZ_SEED, the number of rounds FUZZ_ROUNDS.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { openMemory } from "@koala/shm";
import { codecFor } from "./codec.ts";
import { FlatSchema } from "./gen/bench/v1/flat_pb.ts";
import { ImageSchema, SearchReplySchema } from "./gen/hotel/v1/hotel_pb.ts";
import { KitchenESchema } from "./gen/test/v1/kitchen_editions_pb.ts";
import { Kitchen2Schema, Required2Schema } from "./gen/test/v1/kitchen_proto2_pb.ts";
import { Kitchen3Schema } from "./gen/test/v1/kitchen_proto3_pb.ts";
import {
  type Boxed,
  boxed,
  type Dice,
  diceOf,
  materialized,
  randomMessage,
  validated,
} from "./message-box-helper.test.ts";
import { ValidateCode as Code, validateReasons } from "./validate-reasons.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? 0x5eed);
const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 500);
const types = [
  Kitchen3Schema,
  Kitchen2Schema,
  KitchenESchema,
  Required2Schema,
  SearchReplySchema,
  FlatSchema,
];
const awkward = [0, 1, -1, 8, 16, 0x7fffffff, -0x80000000, 0x40000000, 4096];

function damage(box: Boxed, dice: Dice): Boxed {
  const { memory, offset, inlineLength } = box;
  const { u8, i32 } = memory;
  const word = (): number => (offset + dice(inlineLength - 4)) >> 2;
  switch (dice(5)) {
    case 0:
      for (let i = dice(3); i >= 0; i--) u8[offset + dice(inlineLength - 1)]! ^= 1 << dice(7);
      return box;
    case 1:
      for (let i = dice(2); i >= 0; i--) i32[word()] = awkward[dice(awkward.length - 1)]!;
      return box;
    case 2:
      i32[word()]! += dice(32) - 16;
      return box;
    case 3:
      return { ...box, inlineLength: Math.max(0, inlineLength - 8 * dice(8)) };
    case 4:
      i32[word()] = i32[word()]!;
      return box;
    default:
      for (let i = offset + 8 * dice(2); i < offset + inlineLength; i++) u8[i] = dice(255);
      return box;
  }
}

describe("validator", () => {
  for (const desc of types) {
    it(`lets nothing through that ${desc.typeName} can't be read from`, (t) => {
      const codec = codecFor(desc);
      const dice = diceOf(seed);
      let passed = 0;
      for (let round = 0; round < rounds; round++) {
        const where = `FUZZ_SEED=${seed} round ${round}`;
        const box = damage(boxed(codec, randomMessage(desc, dice, 2, 1 + dice(5)), dice(2)), dice);
        const before = box.memory.u8.slice();
        const code = validated(codec, box);
        assert.ok(validateReasons[code] !== undefined, `${where}: code ${code}`);
        assert.deepEqual(box.memory.u8, before, where);
        if (code !== 0) continue;
        passed++;
        try {
          const { memory, offset, inlineLength } = box;
          const read = codec.read(memory, offset, inlineLength);
          materialized(desc, codec.view(memory, offset, inlineLength));
          assert.equal(validated(codec, boxed(codec, read)), 0);
        } catch (error) {
          throw new Error(where, { cause: error });
        }
      }
      t.diagnostic(
        `FUZZ_SEED=${seed}: ${passed} of ${rounds} damaged messages were still in order`,
      );
      assert.ok(passed < rounds);
    });
  }

  it("refuses garbage of any length", () => {
    const dice = diceOf(seed);
    const codec = codecFor(Kitchen3Schema);
    for (let round = 0; round < 500; round++) {
      const memory = openMemory(new ArrayBuffer(8 * (2 + dice(300))));
      for (let i = 0; i < memory.u8.length; i++) memory.u8[i] = dice(dice(3) === 0 ? 255 : 1);
      const length = memory.u8.length - 8 * dice(1);
      assert.notEqual(codec.validate(memory, 0, length, new Int32Array(0), 0), 0);
    }
  });

  it("takes time linear in the message, whatever the counts say", () => {
    const codec = codecFor(SearchReplySchema);
    const hotels = Array.from({ length: 2000 }, () => ({ name: "x" }));
    const box = boxed(codec, create(SearchReplySchema, { hotels }));
    // Every word in turn claims to be a huge count: none may be believed. Three words in four refer.
    const { i32 } = box.memory;
    let refused = 0;
    for (let word = box.offset >> 2; word < (box.offset >> 2) + 64; word++) {
      const original = i32[word]!;
      i32[word] = 0x7ffffff8;
      if (validated(codec, box) !== 0) refused++;
      i32[word] = original;
    }
    assert.ok(refused >= 48, `${refused} of 64`);
    assert.equal(validated(codec, box), 0);
  });
});

type Init = Record<string, unknown>;

/** The first word of the body, after the header, in which two messages of a type differ. */
function firstDifference(desc: DescMessage, one: Init, other: Init): [Boxed, number] {
  const [a, b] = [one, other].map((init) => boxed(codecFor(desc), create(desc, init)));
  for (let word = (a!.offset >> 2) + 2; ; word++) {
    assert.ok(word < (a!.offset + a!.inlineLength) >> 2, "the messages differ");
    if (a!.memory.i32[word] !== b!.memory.i32[word]) return [a!, word];
  }
}

/** One broken thing each: a message, how to break it, and the reason to expect. */
describe("reasons", () => {
  const flat = () => boxed(codecFor(FlatSchema), create(FlatSchema, { name: "abc", region: "de" }));
  const check = (desc: DescMessage, box: Boxed): number => validated(codecFor(desc), box);

  it("name a body that is cut, misplaced or of odd length", () => {
    const box = flat();
    assert.equal(check(FlatSchema, { ...box, inlineLength: 8 }), Code.BODY);
    assert.equal(check(FlatSchema, { ...box, inlineLength: box.inlineLength + 4 }), Code.BODY);
    assert.equal(check(FlatSchema, { ...box, offset: box.offset + 4 }), Code.BODY);
    assert.equal(check(FlatSchema, { ...box, offset: -8 }), Code.BODY);
    assert.equal(check(FlatSchema, { ...box, offset: 1e9 }), Code.BODY);
    assert.equal(check(FlatSchema, { ...box, inlineLength: box.inlineLength - 8 }), Code.LENGTH);
  });

  // Two messages that differ in one word, what is added to that word or one near it, the reason.
  const edits: [string, DescMessage, Init, Init, number, number, number][] = [
    ["a case", Kitchen3Schema, picked("cInt32", 1), picked("cBool", true), 0, 99, Code.ONEOF],
    [
      "a bool in a oneof",
      Kitchen3Schema,
      picked("cBool", true),
      picked("cBool", false),
      0,
      1,
      Code.BOOL,
    ],
    ["a bool in a list", Kitchen3Schema, { rBool: [true] }, { rBool: [false] }, 0, 1, Code.BOOL],
    ["a map's bool key", Kitchen3Schema, keyed("true"), keyed("false"), 0, 1, Code.BOOL],
    ["a closed enum", Kitchen2Schema, { fEnum: 1 }, { fEnum: 2 }, 0, 2, Code.ENUM],
    ["a list's start", Kitchen3Schema, { rInt32: [1] }, {}, -1, 8, Code.REFERENCE],
    ["a list's count", Kitchen3Schema, { rInt32: [1] }, {}, 0, 1e6, Code.PAST_END],
    ["a negative count", Kitchen3Schema, { rInt32: [1] }, {}, 0, -5, Code.PAST_END],
    [
      "a child's place",
      Kitchen3Schema,
      { fMessage: create(Kitchen3Schema) },
      {},
      0,
      8,
      Code.REFERENCE,
    ],
    ["the length of bytes", FlatSchema, { token: new Uint8Array(3) }, {}, 0, 1e6, Code.PAST_END],
    ["a string's start", FlatSchema, { name: "abc" }, { name: "abcd" }, -1, 1, Code.STRING_START],
    ["a string's length", FlatSchema, { name: "abc" }, { name: "abcd" }, 0, 100, Code.STRING_END],
    [
      "the last string's end",
      ImageSchema,
      { url: "abc" },
      { url: "abcd" },
      0,
      -1,
      Code.STRINGS_LEFT,
    ],
  ];
  for (const [name, desc, one, other, near, add, code] of edits) {
    it(`name ${name}`, () => {
      const [box, word] = firstDifference(desc, one, other);
      assert.equal(check(desc, box), 0);
      box.memory.i32[word + near]! += add;
      assert.equal(check(desc, box), code);
    });
  }

  it("name unknown fields that are not whole", () => {
    const message = create(FlatSchema);
    message.$unknown = [{ no: 100, wireType: 2, data: Uint8Array.of(3, 1, 2, 3) }];
    const box = boxed(codecFor(FlatSchema), message);
    const root = (box.offset >> 2) + 2;
    const blob = box.offset + box.memory.i32[root]!;
    assert.equal(check(FlatSchema, box), 0);
    // Tag (2 bytes), length, data: the length now says more than there is.
    box.memory.u8[blob + 6] = 9;
    assert.equal(check(FlatSchema, box), Code.UNKNOWN);
    box.memory.i32[blob >> 2] = 1000;
    assert.equal(check(FlatSchema, box), Code.PAST_END);
  });

  it("name bytes that belong to nothing, and an area that is nowhere", () => {
    const box = boxed(codecFor(FlatSchema), create(FlatSchema));
    const { memory, offset, inlineLength } = box;
    const larger = openMemory(new ArrayBuffer(memory.u8.length + 8));
    larger.u8.set(memory.u8);
    larger.i32[offset >> 2]! += 8;
    const longer = { ...box, memory: larger, inlineLength: inlineLength + 8 };
    assert.equal(check(FlatSchema, longer), Code.STRUCTS_LEFT);
    for (const area of [0, 4, -8, inlineLength + 8]) {
      memory.i32[offset >> 2] = area;
      assert.equal(check(FlatSchema, box), Code.AREA);
    }
  });

  it("name text that is not what it is said to be", () => {
    const ascii = flat();
    const area = ascii.offset + ascii.memory.i32[ascii.offset >> 2]!;
    ascii.memory.u8[area] = 0xc3;
    assert.equal(check(FlatSchema, ascii), Code.TEXT);
    const wide = boxed(codecFor(FlatSchema), create(FlatSchema, { name: "aé", region: "ü" }));
    assert.equal(check(FlatSchema, wide), 0);
    const at = wide.offset + wide.memory.i32[wide.offset >> 2]!;
    wide.memory.u8[at + 1] = 0x41;
    assert.equal(check(FlatSchema, wide), Code.TEXT);
  });

  it("name text that is cut inside of a character", () => {
    const codec = codecFor(FlatSchema);
    const box = boxed(codec, create(FlatSchema, { name: "é", region: "é" }));
    const { i32 } = box.memory;
    const start = box.offset >> 2;
    // The two lengths, with their flag: 2 and 2 become 1 and 3.
    const lengths = Array.from({ length: 40 }, (_, i) => start + i).filter(
      (k) => i32[k] === (2 | 0x80000000),
    );
    assert.equal(lengths.length, 2);
    i32[lengths[0]!]! -= 1;
    i32[lengths[1]!]! += 1;
    i32[lengths[1]! - 1]! -= 1;
    assert.equal(validated(codec, box), Code.TEXT);
  });

  it("name a required field that is missing", () => {
    const box = boxed(codecFor(Required2Schema), randomMessage(Required2Schema, diceOf(1), 2, 9));
    const flags = (box.offset >> 2) + 3;
    const { i32 } = box.memory;
    assert.equal(check(Required2Schema, box), 0);
    i32[flags] = 0;
    assert.equal(check(Required2Schema, box), Code.REQUIRED);
    i32[flags] = -1;
    assert.equal(check(Required2Schema, box), Code.FLAGS);
  });

  it("name nesting that is too deep", () => {
    // The writer stops at the limit, so the chain is made by hand: struct after struct.
    const codec = codecFor(KitchenESchema);
    const [none, one] = [0, 1].map((depth) => nest(depth));
    const child = one!.findIndex(
      (word, i) => i >= 2 && word !== none![i] && word === 8 + codec.rootBytes,
    );
    assert.ok(child > 0);
    assert.equal(chain(codec.rootBytes, child, 100), 0);
    assert.equal(chain(codec.rootBytes, child, 101), Code.DEPTH);
  });

  it("name segments that are not there or differ in length", () => {
    const codec = codecFor(FlatSchema);
    const box = boxed(codec, create(FlatSchema, { token: new Uint8Array(5000) }));
    assert.equal(box.segmentCount, 1);
    assert.equal(validated(codec, box), 0);
    assert.equal(validated(codec, { ...box, segmentCount: 0 }), Code.SEGMENT);
    assert.equal(validated(codec, { ...box, segmentLengths: Int32Array.of(4999) }), Code.SEGMENT);
  });
});

function picked(name: string, value: unknown): Init {
  return { choice: { case: name, value } };
}

function keyed(key: string): Init {
  return { mBoolInt64: { [key]: 5n } };
}

function nest(depth: number): Int32Array {
  let message = create(KitchenESchema, {});
  for (let i = 0; i < depth; i++) message = create(KitchenESchema, { child: message });
  const box = boxed(codecFor(KitchenESchema), message);
  return box.memory.i32.slice(box.offset >> 2);
}

/** Validates `count` nested messages that have nothing but a child. */
function chain(rootBytes: number, childWord: number, count: number): number {
  const empty = nest(0);
  const words = rootBytes / 4;
  const memory = openMemory(new ArrayBuffer(8 + rootBytes * count));
  const end = 8 + rootBytes * count;
  memory.i32[0] = end;
  // Depth first: lists that come before the child in a struct lie at the child, those after it at the end.
  const before = 8 + rootBytes;
  for (let i = 0; i < count; i++) {
    const at = 2 + i * words;
    const here = 8 + rootBytes * (i + 1);
    for (let w = 0; w < words; w++) {
      const isReference = empty[2 + w] === before;
      memory.i32[at + w] = isReference ? (isBeforeChild(w) ? here : end) : empty[2 + w]!;
    }
    if (i < count - 1) memory.i32[at + childWord - 2] = here;
  }
  return codecFor(KitchenESchema).validate(memory, 0, end, new Int32Array(0), 0);
}

/** Of the fields with references, only `explicit_bytes` (5) has a lower number than `child` (11). */
function isBeforeChild(word: number): boolean {
  const empty = nest(0);
  const first = empty.findIndex(
    (value, i) => i >= 2 && value === 8 + codecFor(KitchenESchema).rootBytes,
  );
  return word === first - 2;
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  create,
  type DescMessage,
  equals,
  fromBinary,
  getExtension,
  isFieldSet,
  type Message,
  setExtension,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { codecFor } from "./codec.ts";
import { FlatSchema } from "./gen/bench/v1/flat_pb.ts";
import { SearchReplySchema } from "./gen/hotel/v1/hotel_pb.ts";
import { ImplicitESchema, KitchenESchema } from "./gen/test/v1/kitchen_editions_pb.ts";
import {
  ext_numbers,
  ext_string,
  Kitchen2Schema,
  Required2Schema,
} from "./gen/test/v1/kitchen_proto2_pb.ts";
import { EmptySchema, Kitchen3Schema, NamesSchema } from "./gen/test/v1/kitchen_proto3_pb.ts";
import { carried, diceOf, randomMessage } from "./message-box-helper.test.ts";

const types: DescMessage[] = [
  FlatSchema,
  SearchReplySchema,
  Kitchen3Schema,
  Kitchen2Schema,
  Required2Schema,
  KitchenESchema,
  ImplicitESchema,
  NamesSchema,
  EmptySchema,
];

/** Through protobuf's own encoding and back: what a read message has to equal. */
function expected(desc: DescMessage, message: Message): Message {
  return fromBinary(desc, toBinary(desc, message));
}

describe("codec", () => {
  for (const desc of types) {
    it(`carries random ${desc.typeName} messages as protobuf-es does`, () => {
      const property = fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 9 }),
        (seed, richness) => {
          const message = randomMessage(desc, diceOf(seed), 3, richness);
          const read = carried(desc, message, seed & 1 ? 8 : 0) as Message;
          assert.deepStrictEqual(read, expected(desc, message));
        },
      );
      fc.assert(property, { numRuns: 150 });
    });
  }
});
void [
  equals,
  isFieldSet,
  setExtension,
  getExtension,
  toJson,
  ext_numbers,
  ext_string,
  create,
  codecFor,
];

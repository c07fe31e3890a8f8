import assert from "node:assert/strict";
import { test } from "node:test";
import { SayRequestSchema } from "../gen/echo/v1/echo_pb.ts";
import {
  decodeBinaryHeader,
  encodeBinaryHeader,
  entriesOf,
  entriesOfInit,
  headersOf,
} from "./header-fields.ts";

test("binary headers are base64 without padding", () => {
  assert.equal(encodeBinaryHeader(new Uint8Array([1, 2])), "AQI");
  assert.equal(encodeBinaryHeader("é"), "w6k");
  assert.deepEqual([...decodeBinaryHeader("AQI")], [1, 2]);
  assert.deepEqual([...decodeBinaryHeader("AQI=")], [1, 2]);
  assert.throws(() => decodeBinaryHeader("!"), { code: "ERR_RPC_INVALID_ARGUMENT" });
});

test("binary headers hold messages", () => {
  const text = encodeBinaryHeader({ text: "x", number: 3 }, SayRequestSchema);
  assert.equal(decodeBinaryHeader(text, SayRequestSchema).number, 3);
  assert.throws(() => decodeBinaryHeader("AQI", SayRequestSchema), /message echo\.v1\.SayRequest/);
});

test("entries become headers and entries again", () => {
  const bytes = new Uint8Array([0, 255]);
  const headers = headersOf([
    ["a", "1"],
    ["a", "2"],
    ["b-bin", bytes],
    ["b-bin", new Uint8Array([7])],
  ]);
  assert.equal(headers.get("a"), "1, 2");
  assert.equal(headers.get("b-bin"), "AP8, Bw");
  assert.deepEqual(entriesOf(headers), [
    ["a", "1, 2"],
    ["b-bin", bytes],
    ["b-bin", new Uint8Array([7])],
  ]);
});

test("values that HTTP can't have are percent-encoded", () => {
  assert.equal(headersOf([["a", "€ 5"]]).get("a"), "%E2%82%AC%205");
  assert.equal(headersOf([["a", "two\nlines"]]).get("a"), "two%0Alines");
  assert.equal(headersOf([["a", "\ud800"]]).get("a"), "%EF%BF%BD");
});

test("what is no header is refused with its reason", () => {
  assert.throws(() => entriesOfInit({ "a b": "x" }), { code: "ERR_RPC_INVALID_ARGUMENT" });
  assert.throws(() => entriesOfInit({ "a-bin": "%" }), { code: "ERR_RPC_INVALID_ARGUMENT" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTrace, parseTrace } from "./trace-parent.ts";

const text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("the header becomes the bytes of a slot and the header again", () => {
  const bytes = parseTrace(text)!;
  assert.equal(bytes.length, 32);
  assert.equal(formatTrace(bytes, 0), text);
});

for (const [name, bad] of [
  ["version ff", text.replace("00-", "ff-")],
  ["no trace id", text.replace("0af7651916cd43dd8448eb211c80319c", "0".repeat(32))],
  ["no span id", text.replace("b7ad6b7169203331", "0".repeat(16))],
  ["upper case", text.toUpperCase()],
  ["more in version 00", `${text}-x`],
  ["nothing", ""],
] as const) {
  test(`${name} is no trace`, () => assert.equal(parseTrace(bad), undefined));
}

test("later versions may say more", () => {
  assert.notEqual(parseTrace(`01${text.slice(2)}-more`), undefined);
});

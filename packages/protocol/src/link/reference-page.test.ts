// Compares docs/reference/wire-format.md with the code.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as frame from "./frame.ts";
import { helloSchema } from "./handshake-schema.ts";

const page = readFileSync(
  new URL("../../../../docs/reference/wire-format.md", import.meta.url),
  "utf8",
);

/** Cells of every row of a table, by the first cell of its head. */
function rowsUnder(head: string): string[][] {
  const rows: string[][] = [];
  let current = "";
  let previous = "";
  for (const line of page.split("\n")) {
    const cells = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (cells.length === 0) current = "";
    else if (/^-+$/.test(cells[0]!)) current = previous;
    else if (current === head) rows.push(cells);
    previous = cells[0] ?? "";
  }
  return rows;
}

function unquote(cell: string | undefined): string {
  return (cell ?? "").replaceAll("`", "");
}

describe("the page about the wire format", () => {
  it("has every frame type with its number and its header", () => {
    const documented = rowsUnder("number").map(([number, name, header]) => [
      Number(number),
      unquote(name),
      header!.startsWith("long"),
    ]);
    const types = Object.entries(frame.FrameType).map(([name, value]) => [
      value,
      name,
      frame.hasLongHeader(value),
    ]);
    assert.deepEqual(documented, types);
  });

  it("has every flag with its bit", () => {
    const documented = rowsUnder("bit").map(([bit, name]) => [unquote(name), Number(bit)]);
    assert.deepEqual(documented, Object.entries(frame.FrameFlag));
  });

  it("has the words of both headers", () => {
    const rows = rowsUnder("byte");
    const words = Object.entries(frame).filter(([name]) => name.startsWith("F_"));
    assert.ok(words.length > 8);
    for (const [name, word] of words) {
      const row = rows.find((cells) => cells.at(-1)!.split(", ").includes(`\`${name}\``));
      assert.deepEqual(row?.slice(0, 2), [String(4 * Number(word)), String(word)], name);
    }
    assert.equal(rows.length, (frame.LONG_HEADER_BYTES + frame.SHORT_HEADER_BYTES) / 4);
  });

  it("has the headers' lengths, in the text and in the drawings", () => {
    const text = `has ${frame.LONG_HEADER_BYTES} bytes (\`LONG_HEADER_BYTES\`), the short one ${frame.SHORT_HEADER_BYTES} (\`SHORT_HEADER_BYTES\`)`;
    assert.ok(page.includes(text), text);
    const drawn = [...page.matchAll(/^\s+(?:byte )?(\d+)\s+[┌├]─/gm)].map((match) =>
      Number(match[1]),
    );
    assert.deepEqual(drawn, [
      0,
      8,
      16,
      24,
      frame.LONG_HEADER_BYTES,
      0,
      8,
      frame.SHORT_HEADER_BYTES,
    ]);
  });

  it("has every limit", () => {
    const documented = rowsUnder("constant").map(([name, bytes]) => [unquote(name), Number(bytes)]);
    const limits = Object.entries(frame).filter(([name]) => name.endsWith("BytesMax"));
    assert.deepEqual(Object.fromEntries(documented), Object.fromEntries(limits));
    assert.ok(page.includes(frame.frameBytesMax.toLocaleString("en-US")), "the largest frame");
  });

  it("has every key of HELLO", () => {
    const hello = {
      magic: frame.LINK_MAGIC,
      version: frame.LINK_VERSION,
      features: [],
      name: "a",
      instance: "12345678",
      linkWindow: 1,
      streamWindow: 1,
      frameBytes: 1,
      messageBytes: 1,
      metadataBytes: 1,
      services: [],
    };
    assert.deepEqual(helloSchema.parse(hello), hello);
    const documented = rowsUnder("HELLO").map(([name]) => unquote(name));
    assert.deepEqual(documented, Object.keys(hello));
    for (const key of documented) {
      const { [key as keyof typeof hello]: _, ...rest } = hello;
      assert.equal(helloSchema.safeParse(rest).success, false, `without ${key}`);
    }
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Column, formatTable, paintFor, printable } from "./table.ts";

interface Row {
  name: string;
  count: number;
}

const columns: Column<Row>[] = [
  { title: "NAME", cell: (row) => row.name },
  { title: "N", cell: (row) => row.count },
  { title: "AGAIN", cell: (row) => row.name, tone: () => "bad" },
];
const plain = paintFor(false, {});

describe("formatTable", () => {
  it("aligns text to the left and numbers to the right, without spaces at the end", () => {
    const rows = [
      { name: "a", count: 5 },
      { name: "longer", count: 100 },
    ];
    assert.deepEqual(formatTable(columns, rows, plain), [
      "NAME      N  AGAIN",
      "a         5  a",
      "longer  100  longer",
    ]);
  });

  it("lets no cell speak to the terminal", () => {
    const [, line] = formatTable(columns, [{ name: "\u001b[2Jx\n\u202e\u2028", count: 1 }], plain);
    assert.equal(line, "�[2Jx���  1  �[2Jx���");
  });
});

describe("paintFor", () => {
  it("paints on terminals only, and never with NO_COLOR", () => {
    assert.equal(paintFor(true, {})("good", "x"), "\u001b[32mx\u001b[39m");
    assert.equal(paintFor(true, { NO_COLOR: "1" })("good", "x"), "x");
    assert.equal(paintFor(true, { NO_COLOR: "" })("plain", "x"), "x");
    assert.equal(paintFor(false, {})("good", "x"), "x");
  });
});

describe("printable", () => {
  it("keeps letters of all scripts", () => {
    assert.equal(printable("Zürich 東京 😀"), "Zürich 東京 😀");
  });
});

// Compares the numbers on docs/reference/errors.md with the code.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Origin, originName, Status } from "./status.ts";

const page = readFileSync(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");

/** Number and name wherever they stand side by side in a table. */
const pairs = page
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .flatMap((line) => [...line.matchAll(/\| *(\d+) *\| *`([\w-]+)` */g)])
  .map(([, number, name]) => [name!, Number(number)] as const);

describe("the page of errors", () => {
  it("has every status with its number", () => {
    const documented = pairs.filter(([name]) => /^[A-Z_]+$/.test(name));
    assert.deepEqual(
      documented.toSorted(([, a], [, b]) => a - b),
      Object.entries(Status),
    );
  });

  it("has every origin with its number", () => {
    const documented = pairs.filter(([name]) => /^[a-z-]+$/.test(name));
    assert.deepEqual(
      documented,
      Object.values(Origin).map((origin) => [originName(origin), origin]),
    );
  });

  it("names only statuses and origins that there are", () => {
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` *\| (`[a-z`, -]+) *\|/gm)];
    assert.ok(rows.length > 15);
    const origins = Object.values(Origin).map((origin) => originName(origin) as string);
    for (const [row, status, deciders] of rows) {
      assert.ok(status! in Status, row);
      for (const [, origin] of deciders!.matchAll(/`([\w-]+)`/g)) {
        assert.ok(origins.includes(origin!), row);
      }
    }
  });
});

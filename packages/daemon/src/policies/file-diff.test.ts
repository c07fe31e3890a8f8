import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FileTexts } from "./config-files.ts";
import { diffFiles } from "./file-diff.ts";

function texts(files: Record<string, string>): FileTexts {
  return Object.fromEntries(
    Object.entries(files).map(([path, text]) => [path, { text, disk: "" }]),
  );
}

const numbers = Array.from({ length: 20 }, (_, index) => `line ${index}`);

describe("diffFiles", () => {
  it("shows changed lines with what is around them, and hashes", () => {
    const before = numbers.join("\n");
    const after = before.replace("line 9\n", "line nine\n");
    const lines = diffFiles(texts({ "/r": before }), texts({ "/r": after }));
    assert.match(lines[0]!, /^-# \/r: 20 lines, sha256 [0-9a-f]{16}$/);
    assert.match(lines[1]!, /^\+# \/r: 20 lines, sha256 [0-9a-f]{16}$/);
    assert.deepEqual(lines.slice(2), [
      " …",
      ...[6, 7, 8].map((index) => ` line ${index}`),
      "-line 9",
      "+line nine",
      ...[10, 11, 12].map((index) => ` line ${index}`),
      " …",
    ]);
  });

  it("shows files that came and went, and none that stayed", () => {
    const lines = diffFiles(texts({ "/a": "x", "/b": "y" }), texts({ "/b": "y", "/c": "z" }));
    assert.deepEqual(
      lines.map((line) => line.slice(0, 4)),
      ["-# /", "-x", "+# /", "+z"],
    );
  });

  it("says of long texts only that they differ", () => {
    const long = "x\n".repeat(2_500);
    const lines = diffFiles(texts({ "/a": long }), texts({ "/a": `${long}y\n` }));
    assert.deepEqual(
      lines.map((line) => line.slice(0, 4)),
      ["-# /", "+# /"],
    );
  });
});

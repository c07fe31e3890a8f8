import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatRecord } from "./dev-log.ts";

function format(record: object): string[] | undefined {
  return formatRecord(JSON.stringify(record), (_, text) => text);
}

const record = { level: "info", time: "2026-11-23T11:18:00.123Z", area: "link", msg: "link up" };

describe("formatRecord", () => {
  it("puts time, level, area and text first, fields behind", () => {
    const [line, ...others] = format({ ...record, peer: "b", reason: "two words", version: 1 })!;
    assert.match(
      line!,
      /^\d\d:18:00\.123 INFO {2}link {4}link up {2}peer=b reason="two words" version=1$/,
    );
    assert.deepEqual(others, []);
  });

  it("gives a field of several lines lines of its own", () => {
    const lines = format({ ...record, reason: "koala.toml:1:1: no\n  1 | x", peer: "b" })!;
    assert.equal(lines.length, 3);
    assert.match(lines[0]!, /link up {2}peer=b$/);
    assert.deepEqual(lines.slice(1), ["    koala.toml:1:1: no", "      1 | x"]);
  });

  it("lets no control character through", () => {
    const text = format({ ...record, msg: "\u001b[2J", peer: "\u0007" })!.join("");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    assert.doesNotMatch(text, /[\u0000-\u001f]/);
  });

  it("leaves alone what is no record", () => {
    for (const line of ["koalad: ready", "{", "{}", '{"level": 1, "time": 2}', "null"]) {
      assert.equal(
        formatRecord(line, (_, text) => text),
        undefined,
        line,
      );
    }
  });
});

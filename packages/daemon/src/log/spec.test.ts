import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import fc from "fast-check";
import { levelNames, logAreas } from "./level.ts";
import { formatLogSpec, type LogSpec, parseLogSpec, readLogSpec } from "./spec.ts";

function hintOf(text: string): string {
  const reading = readLogSpec(text);
  assert.ok(!reading.ok, "not refused");
  return reading.hint;
}

describe("parseLogSpec", () => {
  it("reads one level for all areas and others for single ones, in any order", () => {
    const spec = parseLogSpec("app=off, WARN ,link=debug", "KOALA_LOG");
    assert.deepEqual(spec, {
      daemon: "warn",
      config: "warn",
      control: "warn",
      app: "off",
      service: "warn",
      link: "debug",
      runtime: "warn",
      admin: "warn",
      policy: "warn",
    });
  });

  it("means info when it says nothing", () => {
    assert.equal(formatLogSpec(parseLogSpec("", "KOALA_LOG")), "info");
    assert.equal(parseLogSpec("link=debug", "KOALA_LOG").app, "info");
  });

  it("throws an error that names the source and the word that was meant", () => {
    assert.throws(
      () => parseLogSpec("info,lnk=debug", "KOALA_LOG"),
      (error) => {
        assert.ok(error instanceof KoalaError);
        assert.equal(error.code, "ERR_LOG_SPEC");
        assert.match(
          error.message,
          /^KOALA_LOG must be .*Unknown area "lnk"\. Did you mean "link"\?$/,
        );
        return true;
      },
    );
  });

  it("reports everything that is wrong", () => {
    const hint = hintOf("verbose,link=worn,app=info=debug,,link");
    assert.match(hint, /Unknown level "verbose"\. Levels are trace, /);
    assert.match(hint, /"worn"\. Did you mean "warn"\?/);
    assert.match(hint, /has two "="/);
    assert.match(hint, /comma too many/);
    assert.match(hint, /"link" is an area: give it a level/);
    assert.match(hintOf("info,debug"), /"info" and "debug" are both general/);
    assert.match(hintOf("app=info,app=off"), /"app" is given twice/);
    assert.match(hintOf("constructor=info"), /Unknown area "constructor"\. Areas are /);
    assert.match(hintOf("constructor"), /Unknown level/);
    assert.match(hintOf("x".repeat(2000)), /1024 characters/);
  });

  it("reads what formatLogSpec writes", () => {
    const level = fc.constantFrom(...levelNames);
    fc.assert(
      fc.property(fc.tuple(...logAreas.map(() => level)), (levels) => {
        const spec = Object.fromEntries(logAreas.map((area, index) => [area, levels[index]]));
        assert.deepEqual(parseLogSpec(formatLogSpec(spec as LogSpec), "test"), spec);
      }),
    );
  });
});

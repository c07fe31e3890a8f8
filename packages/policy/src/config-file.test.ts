import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createTempDirectory } from "@koala/testing";
import { configFileBytesMax, configFileField, readConfigFile } from "./config-file.ts";

describe("configFileField", () => {
  it("reads the file, unless somebody has done that", (test) => {
    const path = join(createTempDirectory(test), "rules.toml");
    writeFileSync(path, "on disk");
    const field = configFileField();
    assert.deepEqual(field.parse(path), { path, text: "on disk" });
    assert.deepEqual(field.parse({ path, text: "as read" }), { path, text: "as read" });
  });

  it("says what is wrong", () => {
    const messageOf = (value: unknown): string =>
      configFileField().safeParse(value).error?.issues[0]?.message ?? "";
    assert.match(messageOf("rules.toml"), /expected an absolute path, found rules\.toml/);
    assert.match(messageOf(5), /expected an absolute path/);
    assert.match(messageOf({ path: 1, text: "" }), /expected an absolute path/);
    assert.match(messageOf("/nonexistent/rules"), /can't read \/nonexistent\/rules: ENOENT/);
  });
});

describe("readConfigFile", () => {
  it("refuses a file that is too large", (test) => {
    const path = join(createTempDirectory(test), "large");
    writeFileSync(path, Buffer.alloc(configFileBytesMax + 1));
    assert.throws(() => readConfigFile(path), /1048577 bytes, 1048576 at most/);
  });
});

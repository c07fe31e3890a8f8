import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { descriptorsPerApp, mappingsPerApp } from "@koala/protocol";
import { type ProcessRoom, readProcessRoom, reportRoom, shortagesOf } from "./app-room.ts";

const plenty: ProcessRoom = {
  openFilesMax: 1 << 20,
  openFiles: 30,
  mappingsMax: 1 << 20,
  mappings: 400,
};

describe("shortagesOf", () => {
  it("finds none when all apps fit", () => {
    assert.deepEqual(shortagesOf(plenty, 10_000), []);
  });

  it("counts what fits, and what the limit would have to be", () => {
    const [shortage, ...others] = shortagesOf({ ...plenty, openFilesMax: 1024 }, 1000);
    assert.equal(others.length, 0);
    assert.equal(shortage!.what, "open files");
    assert.ok(shortage!.fit > 0 && shortage!.fit * descriptorsPerApp < 1024);
    assert.ok(shortage!.advice.includes(`LimitNOFILE=${shortage!.needed}`));
    assert.deepEqual(shortagesOf({ ...plenty, openFilesMax: shortage!.needed }, 1000), []);
    assert.equal(shortagesOf({ ...plenty, openFilesMax: shortage!.needed - 1 }, 1000)[0]!.fit, 999);
  });

  it("names the worst first", () => {
    const found = shortagesOf({ ...plenty, openFilesMax: 20_000, mappingsMax: 5000 }, 10_000);
    assert.deepEqual(
      found.map(({ what }) => what),
      ["mappings", "open files"],
    );
    assert.ok(found[0]!.advice.startsWith("sysctl vm.max_map_count="));
  });

  it("lets 10,000 apps fit into the kernel's usual number of mappings", () => {
    assert.ok(10_000 * mappingsPerApp < 65_530);
    assert.deepEqual(shortagesOf({ ...plenty, mappingsMax: 65_530 }, 10_000), []);
  });

  it("has no room where the limit is passed already", () => {
    assert.equal(shortagesOf({ ...plenty, openFilesMax: 20 }, 1)[0]!.fit, 0);
  });
});

describe("readProcessRoom", () => {
  it("knows this process", () => {
    const room = readProcessRoom();
    assert.ok(room.openFiles > 2 && room.openFiles < room.openFilesMax);
    assert.ok(room.mappings > 10 && room.mappings < room.mappingsMax);
  });
});

describe("reportRoom", () => {
  it("warns with what to do, or says that all is well", () => {
    const lines: [string, string, object | undefined][] = [];
    const note = (level: string) => (message: string, fields?: object) =>
      void lines.push([level, message, fields]);
    const log = { info: note("info"), warn: note("warn") } as never;
    reportRoom(log, plenty, 10);
    reportRoom(log, { ...plenty, openFilesMax: 200 }, 1000);
    assert.deepEqual(
      lines.map(([level]) => level),
      ["info", "warn"],
    );
    assert.match(JSON.stringify(lines[1]), /LimitNOFILE=/);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readSizes } from "./binding.ts";
import { readTimelineSettings } from "./timeline-settings.ts";

describe("settings of timelines", () => {
  const settings = {
    changes: ["upgrade-engine", "nothing"],
    inFlight: 8,
    callsPerSecond: 500,
    replacements: 2,
  };

  it("puts the changes in the order in which they can be made", () => {
    const read = readTimelineSettings({ name: "live", settings });
    const names = read.changes.map(({ name }) => name);
    assert.deepEqual(names, ["nothing", "upgrade-engine"]);
    assert.equal(read.callsPerSecond, 500);
  });

  it("says what is wrong, and where", () => {
    const wrong: [object, RegExp][] = [
      [{ changes: ["restart"] }, /eval\/live\/.*settings\.changes .*upgrade-daemon/],
      [{ changes: [] }, /settings\.changes/],
      [{ changes: "nothing" }, /settings\.changes/],
      [{ inFlight: 0 }, /settings\.inFlight must be a whole number above 0/],
      [{ callsPerSecond: 1.5 }, /settings\.callsPerSecond/],
      [{ replacements: undefined }, /settings\.replacements/],
    ];
    for (const [part, message] of wrong) {
      const experiment = { name: "live", settings: { ...settings, ...part } };
      assert.throws(() => readTimelineSettings(experiment), { code: "ERR_EVAL_SETTINGS", message });
    }
  });
});

describe("settings of binding", () => {
  it("are numbers of message types", () => {
    assert.deepEqual(readSizes({ name: "bind", grid: { types: [1, 10] } }), [1, 10]);
    for (const grid of [{}, { types: [] }, { types: [0] }, { types: [1.5] }, { types: ["1"] }]) {
      assert.throws(() => readSizes({ name: "bind", grid }), {
        code: "ERR_EVAL_SETTINGS",
        message: /eval\/bind\/experiment\.toml: settings\.types \(in \[grid\]\)/,
      });
    }
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readPolicySettings } from "./policy-settings.ts";

const settings = {
  loads: [{ name: "latency", bytes: 64, inFlight: 1 }],
  sets: [{ name: "none" }, { name: "two", both: ["null", "null"] }],
  policies: { null: { use: "null" }, qos: { use: "qos" } },
  peers: { "grpc-js-envoy": "none" },
  limit: { set: "two", rate: 5, inFlight: 1, seconds: 1 },
};

describe("settings of policies", () => {
  it("gives each policy of a chain a name of its own", () => {
    const { sets } = readPolicySettings("policies", settings);
    const names = sets[1]!.sender.map(({ name }) => name);
    assert.deepEqual(names, ["null-0", "null-1"]);
    assert.deepEqual(sets[1]!.receiver, sets[1]!.sender);
  });

  it("says what is wrong, and where", () => {
    const wrong: [object, RegExp][] = [
      [{ sets: [{ name: "none" }, { name: "a", both: ["nul"] }] }, /sets\[2\]\.both .*"nul"/],
      [{ sets: [{ name: "a" }] }, /sets\[1\] must be "none"/],
      [{ sets: [{ name: "none", bth: [] }] }, /no bth/],
      [{ loads: [] }, /settings\.loads/],
      [{ limit: { set: "two", rate: 0 } }, /limit\.rate must be above 0/],
    ];
    for (const [part, message] of wrong) {
      assert.throws(() => readPolicySettings("policies", { ...settings, ...part }), {
        code: "ERR_EVAL_SETTINGS",
        message,
      });
    }
  });
});

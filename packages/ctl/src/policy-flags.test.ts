import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createPrefix } from "./fake-daemon-helper.test.ts";
import { moduleOf, nameOf, parseAssignments, parseConfig, parseMatch } from "./policy-flags.ts";

describe("parseMatch", () => {
  it("takes keys, alternatives, a side and labels", () => {
    assert.deepEqual(parseMatch(["service=geo.v1.*"]), { service: "geo.v1.*" });
    assert.deepEqual(
      parseMatch(["service=a,service=b,side=client", "label.tier=gold,label.zone=z=1,caller=shop"]),
      {
        service: ["a", "b"],
        side: "client",
        caller: "shop",
        labels: { tier: "gold", zone: "z=1" },
      },
    );
    assert.deepEqual(parseMatch([""]), {});
  });

  it("says what there is", () => {
    assert.throws(() => parseMatch(["servce=a"]), /there is no servce; there are: service, method/);
    assert.throws(() => parseMatch(["side=left"]), /expected client, server, both/);
    for (const text of ["service", "=a"]) assert.throws(() => parseMatch([text]), /key=value/);
  });
});

describe("parseConfig", () => {
  it("takes an object, also from a file", (test) => {
    const file = join(createPrefix(test), "config.json");
    writeFileSync(file, '{"rate": 5}');
    assert.deepEqual(parseConfig('{"rate": 5}'), { rate: 5 });
    assert.deepEqual(parseConfig(`@${file}`), { rate: 5 });
    writeFileSync(file, "{rate: 5}");
    const isInFile = (error: unknown) => error instanceof Error && error.message.includes(file);
    assert.throws(() => parseConfig(`@${file}`), isInFile);
  });

  it("refuses everything else", () => {
    for (const text of ["5", "[]", "null", '"a"', "rate=5", ""]) {
      assert.throws(() => parseConfig(text), /--config/, text);
    }
    assert.throws(() => parseConfig("@/none/such"), /can't read the configuration of the policy/);
  });
});

describe("parseAssignments", () => {
  it("takes JSON where it is JSON, else text", () => {
    assert.deepEqual(
      parseAssignments(["rate=5", "per=1s", "on=true", "mode=null", 'id="5"', "t=a=b"]),
      {
        rate: 5,
        per: "1s",
        on: true,
        mode: null,
        id: "5",
        t: "a=b",
      },
    );
    assert.throws(() => parseAssignments(["rate"]), /expected key=value/);
  });
});

describe("names of modules", () => {
  it("makes paths absolute and leaves names alone", () => {
    assert.equal(moduleOf("acl"), "acl");
    assert.equal(moduleOf("@acme/tenant-policy"), "@acme/tenant-policy");
    assert.equal(moduleOf("./tenant.ts"), join(process.cwd(), "tenant.ts"));
    assert.equal(moduleOf("limits/tenant.ts"), join(process.cwd(), "limits/tenant.ts"));
    assert.equal(moduleOf("/srv/tenant.mjs"), "/srv/tenant.mjs");
    assert.equal(nameOf("limits/tenant.ts"), "tenant");
    assert.equal(nameOf("../tenant"), "tenant");
    assert.equal(nameOf("rate-limit"), "rate-limit");
  });
});

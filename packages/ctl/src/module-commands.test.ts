import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ModulesAnswer } from "@koala/protocol";
import { ctl, startFake } from "./fake-daemon-helper.test.ts";

const answer: ModulesAnswer = {
  offers: ["policy/1.0", "routes", "frontend/1"],
  modules: [
    {
      name: "quota",
      kind: "policy",
      version: "1.2.0",
      stateVersion: 3,
      use: "./quota.ts",
      file: "/etc/koala/quota.ts",
      code: "0a1b2c3d",
      provides: ["onRequest", "deny"],
      needs: { contract: "policy/1.0", node: "22.4", features: ["routes"], after: ["acl"] },
      counters: [],
      config: { type: "object" },
      policies: ["quota", "quota-eu"],
    },
    {
      name: "frontend",
      kind: "engine",
      version: "0.1.0",
      stateVersion: 1,
      use: "frontend",
      file: "",
      code: "",
      provides: ["frontend/1"],
      needs: { contract: "frontend/1", node: "", features: [], after: [] },
      counters: [],
      config: null,
      policies: [],
    },
  ],
};

describe("koalactl modules", () => {
  it("shows what modules provide and need, and who uses them", async (test) => {
    const prefix = await startFake(test, { "/v1/modules": { body: answer } });
    const { code, stdout } = await ctl(["modules", "--prefix", prefix]);
    assert.equal(code, 0);
    const [, quota, frontend] = stdout.split("\n");
    assert.match(quota!, /quota +policy +1\.2\.0 +3 +onRequest, deny /);
    assert.match(quota!, /policy\/1\.0, node 22\.4, routes, acl before it +quota, quota-eu/);
    assert.match(quota!, /0a1b2c3d \/etc\/koala\/quota\.ts$/);
    assert.match(frontend!, /frontend\/1 +frontend\/1 +- +built in$/);
  });

  it("gives programs all of it", async (test) => {
    const prefix = await startFake(test, { "/v1/modules": { body: answer } });
    const { stdout } = await ctl(["modules", "-o", "json", "--prefix", prefix]);
    assert.deepEqual(JSON.parse(stdout), answer);
  });
});

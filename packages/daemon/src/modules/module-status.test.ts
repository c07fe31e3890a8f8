import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePolicy, Verdict, z } from "@koala/policy";
import { statusOfModule } from "./module-status.ts";
import type { PolicyModule } from "./policy-module.ts";

function moduleOf(members: object): PolicyModule {
  const definition = definePolicy({
    name: "mine",
    version: "1.2.3",
    config: z.strictObject({ rate: z.number().default(5) }),
    ...members,
  });
  const compiled = { hash: "0123456789abcdef", path: "", sources: new Map(), order: [] };
  return {
    use: "./mine.ts",
    from: "./mine.ts",
    entry: "/etc/koala/mine.ts",
    isBuiltIn: false,
    compiled,
    exported: definition,
    definition: definition as unknown as PolicyModule["definition"],
  };
}

describe("statusOfModule", () => {
  it("has what a policy says of itself, and what its members show", () => {
    const module = moduleOf({
      stateVersion: 2,
      counters: ["seen"],
      provides: ["deny"],
      needs: { policy: "1.0", node: "20.19", features: ["routes"], after: ["acl"] },
      onRequest: () => Verdict.PASS,
      onRoute: () => [],
      import: () => undefined,
    });
    const { config, ...facts } = statusOfModule(module, ["a", "b"]);
    assert.deepEqual(facts, {
      name: "mine",
      kind: "policy",
      version: "1.2.3",
      stateVersion: 2,
      use: "./mine.ts",
      file: "/etc/koala/mine.ts",
      code: "01234567",
      provides: ["onRequest", "onRoute", "deny", "route", "state"],
      needs: { contract: "policy/1.0", node: "20.19", features: ["routes"], after: ["acl"] },
      counters: ["seen"],
      policies: ["a", "b"],
    });
    const properties = config?.["properties"] as Record<string, unknown>;
    assert.deepEqual(properties["rate"], { type: "number", default: 5 });
  });

  it("has no schema for a type that can't be told", () => {
    const config = { safeParse: () => ({ success: true, data: {} }) };
    assert.equal(statusOfModule(moduleOf({ config }), []).config, null);
  });
});

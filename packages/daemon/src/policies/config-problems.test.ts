import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePolicy, type PolicyDefinition, z } from "@koala/policy";
import { readPolicyConfig } from "./config-problems.ts";

const config = z.strictObject({
  rate: z.number().min(1).default(10),
  rules: z
    .array(z.strictObject({ name: z.string(), when: z.string().optional() }))
    .optional()
    .default([]),
  how: z
    .union([z.strictObject({ fixed: z.number() }), z.strictObject({ share: z.string() })])
    .optional(),
});

const definition = definePolicy({
  name: "sample",
  version: "1.0.0",
  config,
  check: ({ rate }) => {
    if (rate === 13) throw new Error("unlucky");
    return rate > 100 ? [{ path: ["rate"], message: "too fast", offset: 2 }] : [];
  },
}) as unknown as PolicyDefinition;

/** Each problem as `path: message`. */
function problemsOf(table: Record<string, unknown>): string[] {
  const read = readPolicyConfig(definition, table);
  assert.ok("problems" in read, "there are problems");
  return read.problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

describe("readPolicyConfig", () => {
  it("returns what the type makes of the table", () => {
    assert.deepEqual(readPolicyConfig(definition, {}), { config: { rate: 10, rules: [] } });
  });

  it("suggests the key that was meant, at any depth", () => {
    assert.deepEqual(problemsOf({ rte: 1, rules: [{ name: "a", wen: "x" }] }).sort(), [
      'rte: unknown key "rte". Did you mean "rate"?',
      'rules.0.wen: unknown key "wen". Did you mean "when"?',
    ]);
    assert.match(problemsOf({ rules: [{ name: "a", zzz: 1 }] })[0]!, /Known here: name, when\.$/);
  });

  it("takes the branch of a union with which least is wrong", () => {
    assert.match(problemsOf({ how: { share: 5 } })[0]!, /^how\.share: /);
  });

  it("passes on what the policy itself finds, and what it throws", () => {
    assert.deepEqual(problemsOf({ rate: 200 }), ["rate: too fast"]);
    assert.deepEqual(problemsOf({ rate: 13 }), [": the policy can't read it: unlucky"]);
    assert.match(problemsOf({ rate: 0 })[0]!, /^rate: /);
  });
});

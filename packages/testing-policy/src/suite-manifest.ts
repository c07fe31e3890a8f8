/** The suite's part about what a policy says of itself, and which configurations it takes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isPolicy } from "@koala/policy";
import { serviceSchemaOf } from "@koala/schema";
import { checkConfig, describeProblems } from "./check-config.ts";
import { Shop } from "./gen/shop/v1/shop_pb.ts";
import { fixtureFor, make } from "./suite-fixture.ts";
import type { PolicySubject } from "./suite-subject.ts";

export function testManifest(subject: PolicySubject): void {
  const { policy, validConfigs, invalidConfigs } = subject;
  const schema =
    subject.service === undefined || "kind" in subject.service
      ? serviceSchemaOf((subject.service as typeof Shop | undefined) ?? Shop)
      : subject.service;

  it("has a complete manifest", () => {
    assert.ok(isPolicy(policy), "it comes from definePolicy");
    assert.match(policy.name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, "name");
    assert.match(policy.version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, "version");
    const { stateVersion = 1 } = policy;
    assert.ok(Number.isInteger(stateVersion) && stateVersion > 0, "stateVersion");
    assert.equal(policy.export === undefined, policy.import === undefined, "export and import");
    for (const counter of policy.counters ?? []) assert.match(counter, /^[a-z][a-z0-9_]*$/);
    assert.ok(validConfigs.length > 0, "the suite has a configuration to run with");
  });

  describe("takes", () => {
    for (const { name, config } of validConfigs) {
      it(name, () => {
        const result = checkConfig(policy, config, schema);
        assert.ok(result.ok, result.ok ? "" : describeProblems(result.problems));
      });
    }
  });

  describe("refuses, before anything changes,", () => {
    for (const { name, config, path, message } of invalidConfigs) {
      it(name, () => {
        const result = checkConfig(policy, config, schema);
        assert.ok(!result.ok, "the configuration is refused");
        const [first] = result.problems;
        assert.equal(first!.path.join("."), path);
        assert.ok(first!.message.length > 0);
        if (message !== undefined) assert.match(first!.message, message);
      });
    }
    it("a key that there is not", () => {
      const { config } = validConfigs[0]!;
      const result = checkConfig(policy, { ...(config as object), "no-such-key": 1 }, schema);
      assert.ok(!result.ok);
    });
  });

  it("counts under the names of its manifest only", () => {
    for (const { config } of validConfigs) {
      const fixture = fixtureFor(subject, config);
      make(fixture, subject);
      const names = new Set(policy.counters ?? []);
      for (const [counter, value] of Object.entries(fixture.harness.counters)) {
        assert.ok(names.has(counter), `counter ${counter} is in the manifest`);
        assert.ok(Number.isFinite(value), `counter ${counter} is a number`);
      }
    }
  });
}

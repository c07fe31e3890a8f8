import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "./finding.ts";
import { checkLimits, type MachineLimits, readMachineLimits } from "./limit-checks.ts";

const ample: MachineLimits = {
  openFiles: Number.POSITIVE_INFINITY,
  mappings: 1_000_000,
  processors: 4,
  memoryBytes: 8 * 1024 ** 3,
  cgroup: {},
};

function check(limits: Partial<MachineLimits>, apps = 1024): ReadonlyMap<string, Finding> {
  const findings = checkLimits({ ...ample, ...limits }, apps);
  return new Map(findings.map((finding) => [finding.check, finding]));
}

function verdictOf(limits: Partial<MachineLimits>, name: string, apps?: number): string {
  return check(limits, apps).get(name)!.verdict;
}

describe("checkLimits", () => {
  it("finds nothing wrong with a machine that has enough of everything", () => {
    assert.deepEqual(
      [...check({}).values()].map(({ verdict }) => verdict),
      ["ok", "ok", "ok", "ok"],
    );
  });

  it("warns of open files and mappings that are too few, and says how many would do", () => {
    for (const [name, key] of [
      ["open files", "openFiles"],
      ["mappings", "mappings"],
    ] as const) {
      assert.equal(verdictOf({ [key]: 200 }, name), "problem");
      const few = check({ [key]: 5000 }).get(name)!;
      assert.match(few.text, /^5000, enough for about \d+ apps; the configuration allows 1024/);
      const [wanted] = /\d{4,}/.exec(few.fix!) ?? [];
      const raised = check({ [key]: Number(wanted) }).get(name)!;
      assert.match(raised.text, /enough for 1024 apps/);
      assert.equal(raised.verdict, "warning", "10,000 apps need more");
      const [most] = /\b\d{5,}\b/.exec(raised.fix!.replace("for 10000 apps", "")) ?? [];
      assert.equal(verdictOf({ [key]: Number(most) }, name), "ok");
      assert.equal(verdictOf({ [key]: Number(most) }, name, 20_000), "warning");
    }
  });

  it("warns of less than two processors, and of little memory", () => {
    assert.equal(verdictOf({ processors: 1 }, "processors"), "warning");
    assert.equal(verdictOf({ cgroup: { cpus: 1.5 } }, "processors"), "warning");
    assert.equal(verdictOf({ cgroup: { cpus: 2 } }, "processors"), "ok");
    assert.equal(verdictOf({ memoryBytes: 1024 }, "memory"), "warning");
    const limited = check({ cgroup: { memoryBytes: 256 * 1024 ** 2 } }).get("memory")!;
    assert.equal(limited.verdict, "warning");
    assert.equal(limited.text, "8.0 GiB, limited to 256.0 MiB");
  });
});

describe("readMachineLimits", () => {
  it("reads those of this process", () => {
    const limits = readMachineLimits("self");
    assert.ok(limits.openFiles > 100, `${limits.openFiles}`);
    assert.ok(limits.mappings > 1000, `${limits.mappings}`);
    assert.deepEqual(readMachineLimits(process.pid), limits);
  });
});

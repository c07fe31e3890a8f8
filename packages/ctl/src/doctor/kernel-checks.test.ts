import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkKernel, checkNode, checkPlatform } from "./kernel-checks.ts";

describe("checkNode", () => {
  it("takes 20.19 and newer", () => {
    for (const version of ["20.19.0", "20.20.2", "22.0.0", "26.1.0"]) {
      assert.equal(checkNode(version).verdict, "ok", version);
    }
    for (const version of ["20.18.9", "18.20.0"]) {
      assert.equal(checkNode(version).verdict, "problem", version);
    }
  });
});

describe("checkPlatform", () => {
  it("takes Linux only", () => {
    assert.equal(checkPlatform("linux", "6.1.0").text, "Linux 6.1.0");
    assert.equal(checkPlatform("darwin", "23.0.0").verdict, "problem");
  });
});

describe("checkKernel", () => {
  it("finds on this machine what Koala's own tests need", async () => {
    const findings = await checkKernel();
    assert.deepEqual(
      findings.map(({ check, verdict }) => [check, verdict]),
      ["node", "kernel", "addon", "sealed memory", "doorbells", "descriptors"].map((check) => [
        check,
        "ok",
      ]),
    );
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Output } from "../output.ts";
import { printFindings } from "./doctor.ts";
import { type FindingGroup, ok, problem, warning, worstOf } from "./finding.ts";

function print(groups: readonly FindingGroup[]): { isWell: boolean; lines: string[] } {
  let text = "";
  const stdout = { write: (part: string) => (text += part) };
  const isWell = printFindings(groups, new Output("table", { stdout, stderr: stdout, env: {} }));
  return { isWell, lines: text.trimEnd().split("\n") };
}

describe("printFindings", () => {
  it("has a line for each check, in groups, and one for its fix", () => {
    const { isWell, lines } = print([
      { title: "limits", findings: [ok("memory", "8.0 GiB")] },
      { title: "prefix", findings: [warning("mode", "777", "chmod 755")] },
    ]);
    assert.equal(isWell, true);
    assert.deepEqual(lines, [
      "limits",
      "  ok       memory  8.0 GiB",
      "prefix",
      "  warning  mode    777",
      "                   fix: chmod 755",
      "no problems, 1 warning",
    ]);
  });

  it("indents what has several lines, and says that not all is well", () => {
    const { isWell, lines } = print([
      {
        title: "configuration",
        findings: [problem("file", "1:1: no\n  1 | x", "correct it\u0007")],
      },
    ]);
    assert.equal(isWell, false);
    assert.deepEqual(lines.slice(1), [
      "  problem  file  1:1: no",
      "                   1 | x",
      "                 fix: correct it�",
      "1 problem, no warnings",
    ]);
  });
});

describe("worstOf", () => {
  it("is ok for nothing, and the worst of all else", () => {
    assert.equal(worstOf([]), "ok");
    const groups = [
      { title: "", findings: [ok("a", ""), problem("b", "", ""), warning("c", "", "")] },
    ];
    assert.equal(worstOf(groups), "problem");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatProblem, formatProblems, type Problem, positionAt } from "./problem.ts";

function problemAt(text: string, word: string, message = "wrong."): Problem {
  const start = text.indexOf(word);
  return {
    place: { source: "k.toml", text, range: { start, end: start + word.length } },
    message,
    related: [],
  };
}

describe("positionAt", () => {
  it("counts lines and characters from 1", () => {
    assert.deepEqual(positionAt("", 0), { line: 1, column: 1 });
    assert.deepEqual(positionAt("\nab", 0), { line: 1, column: 1 });
    assert.deepEqual(positionAt("\nab", 2), { line: 2, column: 2 });
    assert.deepEqual(positionAt("a\r\n\u{1F428}b", 5), { line: 2, column: 2 });
  });
});

describe("formatProblem", () => {
  it("shows the line with carets, below tabs as they are", () => {
    const text = "[daemon]\r\n\tlissten = 1\r\nx = 2";
    assert.equal(
      formatProblem(problemAt(text, "lissten")),
      ["k.toml:2:2: wrong.", "    1 | [daemon]", "    2 | \tlissten = 1", "      | \t^^^^^^^"].join(
        "\n",
      ),
    );
  });

  it("works at both ends of the text", () => {
    assert.match(formatProblem(problemAt("\na", "\n")), / {4}1 \| \n {6}\| \^$/);
    const end = { source: "k.toml", text: "a =", range: { start: 3, end: 4 } };
    assert.match(
      formatProblem({ place: end, message: "wrong.", related: [] }),
      / {4}1 \| a =\n {6}\| {4}\^$/,
    );
  });

  it("cuts long lines around the place and marks one line only", () => {
    const text = `${"a".repeat(5000)} = """b\n${"c".repeat(5000)}"""`;
    const lines = formatProblem(problemAt(text, text.slice(5003))).split("\n");
    assert.equal(lines.length, 3);
    assert.ok(lines.every((line) => line.length < 120));
    assert.match(lines[1]!, / = """b$/);
    assert.equal(lines[2]!.indexOf("^"), lines[1]!.indexOf('"'));
  });

  it("does not pass on control characters", () => {
    const text = "a\u001b[31m = 1\u202e";
    assert.doesNotMatch(formatProblem(problemAt(text, "1")), /(?!\n)[\p{Cc}\u202e]/u);
  });
});

describe("formatProblems", () => {
  it("goes by the order of the text, and places without a line come last", () => {
    const text = "one = 1\ntwo = 2";
    const flag = { place: { source: "--x", text: "", range: null }, message: "flag.", related: [] };
    const output = formatProblems([flag, problemAt(text, "two"), problemAt(text, "one")]);
    assert.deepEqual(output.match(/^(k.toml:\d|--x)/gm), ["k.toml:1", "k.toml:2", "--x"]);
  });
});

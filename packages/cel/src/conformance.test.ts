// The conformance tests of the CEL specification, as far as they are about what is supported here.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Value } from "@bufbuild/cel-spec/cel/expr/value_pb.js";
import {
  getConformanceSuite,
  type IncrementalTestSuite,
} from "@bufbuild/cel-spec/testdata/tests.js";
import { compileExpression } from "./compile.ts";
import { Failure } from "./failure.ts";
import { isProblems } from "./index.ts";

/** How many of them have to compile, so that what is supported does not become less unnoticed. */
const supportedMin = 600;

type Original = IncrementalTestSuite["tests"][number]["original"];

function testsOf(suite: IncrementalTestSuite): Original[] {
  return [...suite.tests.map(({ original }) => original), ...suite.suites.flatMap(testsOf)];
}

/** What a test expects: a value, or undefined for a failure. */
function expectedOf({ resultMatcher: { case: kind, value } }: Original): Value | undefined | true {
  if (kind === "value") return value;
  if (kind === "typedResult") return value.result;
  // Without an expectation, it is true.
  return kind === undefined ? true : undefined;
}

function assertValue(found: unknown, expected: Value | undefined | true, text: string): void {
  if (expected === undefined || expected === true) {
    const isAsExpected = expected === undefined ? found instanceof Failure : found === true;
    assert.ok(isAsExpected, `${text}: ${String(found)}`);
    return;
  }
  assert.ok(!(found instanceof Failure), `${text}: ${found instanceof Failure && found.reason}`);
  const { case: kind, value } = expected.kind;
  if (kind === "int64Value" || kind === "uint64Value") {
    assert.equal(BigInt(found as number | bigint), value, text);
  } else if (kind === "nullValue") {
    assert.equal(found, null, text);
  } else if (kind === "listValue") {
    const list = found as readonly unknown[];
    assert.equal(list.length, value.values.length, text);
    for (const [index, item] of value.values.entries()) assertValue(list[index], item, text);
  } else if (kind === "bytesValue") {
    assert.deepEqual([...(found as Uint8Array)], [...value], text);
  } else if (kind !== "objectValue") {
    // Messages are the times; how these are compared is in the table of meanings.
    assert.deepEqual(found, value, text);
  }
}

describe("conformance", () => {
  it("holds for what is supported", () => {
    let supported = 0;
    for (const test of testsOf(getConformanceSuite())) {
      if (Object.keys(test.bindings).length > 0 || test.typeEnv.length > 0) continue;
      const compiled = compileExpression(test.expr, { variables: {}, container: test.container });
      if (isProblems(compiled)) continue;
      supported++;
      assertValue(compiled.evaluate({}), expectedOf(test), test.expr);
    }
    assert.ok(supported >= supportedMin, `${supported} are supported`);
  });
});

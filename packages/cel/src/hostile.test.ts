// Names and values of strangers in generated code, and evaluations that would take too long.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { compiled, environment, evaluated, variables } from "./animal-helper.test.ts";
import { compileExpression, compileFirst } from "./compile.ts";
import { Failure } from "./failure.ts";
import { AnimalSchema } from "./gen/zoo/v1/zoo_pb.ts";
import { isProblems } from "./index.ts";
import { mapType, recordType, stringType } from "./type.ts";

const attack = `"]); globalThis.broken = true; (["`;

describe("names and values of strangers", () => {
  it("are only ever data in the generated code", () => {
    const texts = [
      `caller.labels['${attack}'] == '${attack}' || true`,
      `a.name in ['${attack}', '\\u2028\\u2029\\u0000']`,
      `metadata["\\"); globalThis.broken = true; //"] == '' || true`,
      `a.name == '\${globalThis.broken = true}'`,
      `a.dna == b'${attack}'`,
    ];
    for (const text of texts) assert.equal(typeof evaluated(text), "boolean");
    assert.equal("broken" in globalThis, false);
  });

  it("may be the names of variables and fields", () => {
    const fields = { [attack]: stringType, __proto__x: stringType };
    const result = compileExpression("caller.__proto__x == 'x'", {
      variables: { caller: recordType(attack, fields), [attack]: stringType },
    });
    assert.ok(!isProblems(result));
    assert.equal(result.evaluate({ caller: { __proto__x: "x" } }), true);
  });

  it("do not reach what objects inherit", () => {
    for (const key of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      assert.equal(evaluated(`'${key}' in caller.labels`), false);
      assert.equal(evaluated(`caller.labels['${key}'] == ''`), "failure");
      assert.equal(evaluated(`has(a.labels.${key})`), false);
      assert.ok(isProblems(compileExpression(`caller.${key}`, environment)));
      assert.ok(isProblems(compileExpression(`${key} == 1`, environment)));
    }
  });

  it("find a key that is called __proto__", () => {
    const labels = JSON.parse('{"__proto__": "x"}') as unknown;
    const result = compileExpression("labels['__proto__'] == 'x'", {
      variables: { labels: mapType(stringType) },
    });
    assert.ok(!isProblems(result));
    assert.equal(result.evaluate({ labels }), true);
  });
});

describe("an evaluation", () => {
  const many = create(AnimalSchema, {
    scores: Array.from({ length: 2_000 }, (_, index) => index),
    name: "x".repeat(70_000),
    nickname: "x".repeat(2_000),
    foods: Array.from({ length: 40 }, () => "y".repeat(60_000)),
  });
  const evaluate = (text: string): unknown => compiled(text).evaluate({ ...variables, a: many });

  it("ends when it has looked at too many elements", () => {
    const result = evaluate("a.scores.all(x, a.scores.all(y, x + y >= 0))");
    assert.ok(result instanceof Failure);
    assert.match(result.reason, /more than 100000 elements/);
    const inLists = evaluate("a.scores.all(x, x in a.scores)");
    assert.ok(inLists instanceof Failure);
  });

  it("starts counting anew each time", () => {
    const once = compiled("a.scores.all(x, x >= 0)");
    for (let n = 0; n < 100; n++) assert.equal(once.evaluate({ a: many }), true);
  });

  it("makes no string that is too long", () => {
    const doubled = "a.foods.map(f, f + f).map(f, f + f).map(f, f + f).map(f, f + f).map(f, f + f)";
    const result = evaluate(`${doubled}.size() > 0`);
    assert.ok(result instanceof Failure);
    assert.match(result.reason, /a string of more than/);
  });

  it("searches no long text for a long text", () => {
    const result = evaluate("a.name.contains(a.nickname)");
    assert.ok(result instanceof Failure);
    assert.equal(evaluate("a.nickname.contains(a.mother.name)"), true);
  });

  it("matches no text that is too long", () => {
    assert.ok(evaluate("a.name.matches('x')") instanceof Failure);
  });

  it("says where it failed", () => {
    const text = "a.age == 0 &&\n 1 / a.age == 1";
    const result = evaluate(text);
    assert.ok(result instanceof Failure);
    assert.equal(result.reason, "division by zero");
    assert.equal(text[result.offset], "/");
  });
});

describe("what an expression needs", () => {
  it("is known by variable and by field", () => {
    const { variables: used, reads } = compiled(
      "a.mother.name == 'x' && has(a.cage) && metadata['k'] == caller.labels.zone && a.foods.exists(f, f == a.name)",
    );
    assert.deepEqual([...used].sort(), ["a", "caller", "metadata"]);
    const expected = ["a.cage", "a.foods", "a.mother.name", "a.name", "caller.labels", "metadata"];
    assert.deepEqual([...reads].sort(), expected);
  });

  it("is not read before it is needed, and then once", () => {
    let reads = 0;
    const counting = {
      ...variables,
      get a(): unknown {
        reads++;
        return variables["a"];
      },
    };
    const lazy = compiled("caller.app == 'other' && (a.age == 7 || a.tag == 1)");
    assert.equal(lazy.evaluate(counting), false);
    assert.equal(reads, 0);
    const eager = compiled("a.age == 8 || a.tag == 1 || a.foods.exists(f, f == a.name)");
    assert.equal(eager.evaluate(counting), false);
    assert.equal(reads, 1);
  });
});

describe("compileFirst", () => {
  const first = (
    texts: readonly string[],
    onFailure: boolean,
    failed?: (index: number, failure: Failure) => void,
  ): number => {
    const conditions = texts.map((expression) => ({ expression, onFailure }));
    const result = compileFirst(conditions, environment, failed);
    assert.ok("decide" in result);
    return result.decide(variables);
  };

  it("finds the first that is met", () => {
    assert.equal(first(["a.age == 1", "a.age == 7", "true"], false), 1);
    assert.equal(first(["a.age == 1"], true), -1);
    assert.equal(first([], true), -1);
  });

  it("decides what a failure means, and reports it", () => {
    const failures: [number, string][] = [];
    const note = (index: number, { reason }: Failure): void => {
      failures.push([index, reason]);
    };
    const texts = ["a.foods[9] == 'x'", "1 / (a.age - 7) == 1", "a.age == 7"];
    assert.equal(first(texts, false, note), 2);
    assert.equal(first(texts, true, note), 0);
    const index = "the index is outside of the list";
    assert.deepEqual(failures, [
      [0, index],
      [1, "division by zero"],
      [0, index],
    ]);
  });

  it("asks guards first, and lets them decide alone", () => {
    let asked = 0;
    const guard = (): boolean => {
      asked++;
      return false;
    };
    const result = compileFirst(
      [
        { guard, expression: "1 / 0 == 1", onFailure: true },
        { guard, onFailure: false },
        { guard: () => true, onFailure: false },
      ],
      environment,
    );
    assert.ok("decide" in result);
    assert.equal(result.decide(variables), 2);
    assert.equal(asked, 2);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { environment } from "./animal-helper.test.ts";
import { checkCondition, compileExpression, compileFirst } from "./compile.ts";
import { isProblems } from "./index.ts";
import { parse } from "./parser.ts";
import { unknownType } from "./type.ts";

/** `line:column message` of each problem; in the table the message is given by its start. */
const rows: readonly (readonly [text: string, ...problems: string[]])[] = [
  // syntax
  ["", "1:1 the expression ends; expected a value"],
  ["a.age =", '1:7 unexpected "=": comparison is written =='],
  ["a.age == 1 & true", '1:12 unexpected "&": the logical and is written &&'],
  ["a.age == 1 and true", '1:12 unexpected "and" behind the end of the expression'],
  ["(a.age", '1:7 the expression ends; expected ")" behind an expression in brackets'],
  ["a.foods[1", '1:10 the expression ends; expected "]" behind an index'],
  ["a.name == 'x", "1:11 the string is not closed by '"],
  ["a.name == 'x\ny'", "1:11 the string is not closed by '"],
  ["'\\q'", "1:2 unknown escape \\q"],
  ["'\\x4'", "1:2 \\x is followed by 2 hexadecimal digits"],
  ["'\\ud800'", "1:2 no Unicode character has this number"],
  ["b'\\u0041'", "1:3 bytes have no \\u and \\U"],
  ["9223372036854775808", "1:1 the number does not fit into 64 bits"],
  ["18446744073709551616u", "1:1 the number does not fit into 64 bits"],
  ["12abc", "1:1 a number is followed by a letter"],
  ["a.", "1:3 the expression ends; expected the name of a field"],
  ["a..b", '1:3 unexpected "."; expected the name of a field'],
  ["if", '1:1 "if" is a reserved word'],
  ["{'a': 1}", "1:1 maps can't be made in an expression"],
  ["zoo.v1.Animal{name: 'x'}", "1:14 messages can't be made in an expression"],
  ["true ? 1", '1:9 the expression ends; expected ":"'],
  ["\u{1F992}", '1:1 unexpected "🦒"'],
  ["a.age\n  == )", '2:6 unexpected ")"; expected a value'],
  // names
  [
    "b.name",
    '1:1 unknown name "b.name": neither an enum value nor a variable; there are: a, fossil',
  ],
  ["b", '1:1 unknown name "b"; there are: a, fossil'],
  ["a.nme == 'x'", '1:3 zoo.v1.Animal has no field "nme"; it has: name, age, tag'],
  ["a.mother.nme", '1:10 zoo.v1.Animal has no field "nme"'],
  ["has(a.nme)", '1:7 zoo.v1.Animal has no field "nme"'],
  ["caller.nme == 'x'", '1:8 caller has no field "nme"; it has: app, uid, labels'],
  ["a.age.x", '1:7 a value of type int has no field "x"'],
  ["Diet.FISH == 1", '1:1 unknown name "Diet.FISH"'],
  ["[1].exists(x, x == y)", '1:20 unknown name "y"'],
  ["[1].exists(x, true) && x == 1", '1:24 unknown name "x"'],
  // types
  ["a.name == 1", "1:8 == is not defined for string and int"],
  ["a.name < 1", "1:8 < is not defined for string and int"],
  [
    "a.mother == a",
    "1:10 == is not defined for zoo.v1.Animal and zoo.v1.Animal; compare their fields",
  ],
  ["a.mother == null", "1:10 == is not defined for zoo.v1.Animal and null; use has()"],
  ["a.foods == a.foods", "1:9 == is not defined for list(string) and list(string)"],
  ["a.age + 1.0 > 2.0", "1:7 + is not defined for int and double; convert one of them"],
  ["a.legs + 1 > 2u", "1:8 + is not defined for uint and int; convert one of them"],
  ["a.weight % 2.0 == 0.0", "1:10 % is not defined for double and double"],
  ["a.name && true", "1:3 && needs bools, found string"],
  ["!a.name", "1:1 ! needs a bool, found string"],
  ["-a.legs", "1:1 - needs an int or a double, found uint"],
  ["a.age ? 1 : 2", "1:3 what stands before ? is a bool; found int"],
  ["a.tame ? 1 : 'x'", "1:8 both values of a condition have one type; found int and string"],
  ["[1, 'x']", "1:1 the elements of a list have one type; found: int, string"],
  ["a.foods['x']", "1:9 the index of a list is an int, found string"],
  ["a.labels[1] == 'x'", "1:9 the keys of the map are of type string, found int"],
  ["1 in a.foods", "1:3 in is not defined for int in list(string)"],
  ["1 in a.labels", "1:3 the keys of the map are of type string, found int"],
  ["1 in 2", "1:3 in needs a list or a map on its right, found int"],
  ["a.age[0]", "1:6 only lists and maps have an index, found int"],
  ["a.age.startsWith('x')", "1:7 startsWith is defined for two strings, found int and string"],
  ["a.foods.exists(1, true)", "1:9 exists needs a name and an expression"],
  ["a.foods.exists(x, x)", "1:19 a condition is a bool, found string"],
  ["a.age.exists(x, true)", "1:7 exists needs a list or a map, found int"],
  ["size(1)", "1:1 size needs a string, bytes, a list or a map, found int"],
  ["size()", "1:1 size needs one value"],
  ["has(a)", "1:1 has() needs a field"],
  ["nope(1)", '1:1 no function "nope"; there are: has, size, matches, int'],
  ["a.name.nope()", '1:8 no method "nope"; there are: startsWith'],
  ["int(a.foods)", "1:1 int() is not defined for list(string)"],
  ["string(1.5)", "1:1 string() is not defined for double"],
  ["timestamp('yesterday') == a.born", "1:1 not a timestamp; expected one like"],
  ["timestamp('2026-02-30T00:00:00Z') == a.born", "1:1 not a timestamp"],
  ["timestamp(a.name) == a.born", "1:1 timestamp() needs a string literal"],
  ["duration('1 h') == a.gestation", "1:1 not a duration"],
  ["a.notes.x == 1", "1:9 expressions can't look into google.protobuf.Struct"],
  ["a.wrapped_home == 'x'", '1:3 "wrapped_home" is a wrapper within a list, map or oneof'],
  ["a.name.matches(a.name)", "1:18 the pattern of matches is a string literal"],
  ["a.name.matches('(')", "1:16 bad pattern: the bracket is not closed"],
  ["a.name.matches('(?=x)')", "1:16 bad pattern: only (?:…) is supported"],
  ["a.name.matches('(a)\\\\1')", "1:16 bad pattern: \\1 is not supported"],
  // several
  [
    "a.nme == 'x' || a.age == 'y' || b",
    "1:3 zoo.v1.Animal has no",
    "1:23 == is not",
    "1:33 unknown name",
  ],
];

function problemsOf(text: string): string[] {
  const result = compileExpression(text, environment);
  if (!isProblems(result)) return [];
  return result.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe("problems", () => {
  for (const [text, ...expected] of rows) {
    it(`of ${text.replaceAll("\n", "\\n") || "nothing"}`, () => {
      const found = problemsOf(text);
      assert.equal(found.length, expected.length, found.join("\n"));
      for (const [index, start] of expected.entries()) {
        assert.ok(found[index]?.startsWith(start), `${found[index]} does not start with ${start}`);
      }
    });
  }

  it("have offsets that lead to their place", () => {
    const text = "true ||\n  a.nme == 'x'";
    const result = compileExpression(text, environment);
    assert.ok(isProblems(result));
    assert.equal(text.slice(result[0]!.offset).startsWith("nme"), true);
  });

  it("of a condition say which one", () => {
    const conditions = ["true", "a.nme == ''", "a.age"].map((expression) => ({
      expression,
      onFailure: false,
    }));
    const result = compileFirst(conditions, environment);
    assert.ok(
      isProblems<(typeof result extends readonly (infer P)[] ? P : never) & { condition: number }>(
        result,
      ),
    );
    assert.deepEqual(
      result.map(({ condition }) => condition),
      [1, 2],
    );
  });

  it("are found as far as the variables are known", () => {
    const { variables } = environment;
    const partly = { variables: { ...variables, a: unknownType } };
    const check = (text: string): string[] =>
      checkCondition(text, partly).map(({ column, message }) => `${column} ${message}`);
    assert.deepEqual(
      check("a.nme == 1 && a.x[1].contains(a) && zoo.v1.Nope.X == 1 && a.b in [1]"),
      [],
    );
    assert.deepEqual(check("a.nme"), []);
    assert.deepEqual(check("caller.app"), ["1 a condition is a bool, found string"]);
    assert.match(check("a.nme == 1 || caller.app == 1")[0]!, /^26 == is not defined/);
    assert.match(check("a.nme == 1 || nope")[0]!, /^15 unknown name/);
  });

  it("are at most twenty", () => {
    assert.equal(problemsOf(Array(100).fill("b").join(" || ")).length, 20);
  });
});

/** Texts that would take too long, or too much stack. */
const tooMuch: Record<string, [text: string, message: RegExp]> = {
  "a long text": [`'${"x".repeat(20_000)}'`, /has 20002 characters, 16384 at most/],
  "many brackets": ["(".repeat(5_000), /nested deeper than 64/],
  "many nots": ["!".repeat(5_000), /nested deeper than 64/],
  "many minuses": [`${"-".repeat(5_000)}a`, /nested deeper than 64/],
  "many lists": ["[".repeat(5_000), /nested deeper than 64/],
  "a long sum": [`1${" + 1".repeat(3_000)}`, /nested deeper than 64/],
  "a long path": [`a${".mother".repeat(1_000)}`, /nested deeper than 64/],
  "many questions": ["true ? 1 : ".repeat(1_000), /nested deeper than 64/],
  "many calls": ["size(".repeat(1_000), /nested deeper than 64/],
  "many parts": [`[${"[],".repeat(900)}${"[1,1,1,1,1,1],".repeat(700)}]`, /more than 4096 parts/],
  "a long list": [`[${"1,".repeat(2_000)}]`, /more than 1024 elements/],
};

describe("limits", () => {
  for (const [name, [text, message]] of Object.entries(tooMuch)) {
    it(`refuse ${name}`, () => {
      const parsed = parse(text);
      assert.ok(!("kind" in parsed));
      assert.match(parsed.message, message);
    });
  }

  it("let a long row of alternatives through", () => {
    const text = Array.from({ length: 700 }, (_, n) => `a.age == ${n}`).join(" || ");
    assert.deepEqual(problemsOf(text), []);
  });
});

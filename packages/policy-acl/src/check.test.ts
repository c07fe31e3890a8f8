// What `check` and `checkMethod` say about rules, and what becomes of rules that fit no method.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { CallInput } from "@koala/cel";
import type { PreparedMethod } from "@koala/policy";
import { serviceSchemaOf } from "@koala/schema";
import { checkConfig, createPolicyHarness, Shop } from "@koala/testing-policy";
import type { AclConfig, AclRule } from "./config.ts";
import acl from "./index.ts";
import { preparedRules } from "./rule-set.ts";

const shop = serviceSchemaOf(Shop);

function rulesFile(context: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "koala-acl-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "rules.toml");
  writeFileSync(path, text);
  return path;
}

function problemsOf(config: object): string[] {
  const checked = checkConfig(acl, config, shop);
  return checked.ok
    ? []
    : checked.problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

describe("check", () => {
  it("says where in an expression something is wrong", () => {
    const when = "caller.app == 'x' ||\n caller.nme == 'y'";
    const config = { default: "allow", rules: [{ name: "a", effect: "deny", when }] };
    const checked = checkConfig(acl, config, shop);
    assert.ok(!checked.ok);
    const [problem] = checked.problems;
    assert.deepEqual(problem!.path, ["rules", 0, "when"]);
    assert.equal(when.slice(problem!.offset), "nme == 'y'");
  });

  it("asks a rule only about methods that it is for", () => {
    const rule = { name: "a", effect: "deny", when: "request.cents > 5" };
    const config = (method: string): object => ({ default: "allow", rules: [{ ...rule, method }] });
    assert.deepEqual(problemsOf(config("Buy")), []);
    assert.deepEqual(problemsOf(config("shop.v1.Shop/B*")), []);
    assert.deepEqual(problemsOf(config("Nope")), []);
    const expected =
      /^rules.0.when: shop.v1.FindRequest has no field "cents"; it has: query, limit, customer$/;
    assert.match(problemsOf(config("*"))[0]!, expected);
  });
});

describe("a method with a stream of requests", () => {
  it("has messages that a rule can read", () => {
    const methods = [{ ...shop.methods[0]!, kind: "client_streaming" as const }];
    const check = (when: string): string[] => {
      const config = { default: "allow", rules: [{ name: "a", effect: "deny", when }] };
      const checked = checkConfig(acl, config, { ...shop, methods });
      return checked.ok ? [] : checked.problems.map(({ message }) => message);
    };
    assert.deepEqual(check("request.query == 'x'"), []);
    assert.match(check("request.colour == 'x'")[0]!, /colour/);
    assert.deepEqual(check("caller.app == 'x'"), []);
  });
});

describe("a file of rules", () => {
  it("comes behind the rules of the table", (context) => {
    const file = rulesFile(
      context,
      '[[rule]]\nname = "f"\neffect = "deny"\nmethod = "Find"\nwhen = "request.query == \'x\'"\n',
    );
    const inline = { name: "t", effect: "allow", caller: "boss" };
    const config = { default: "allow", rules: [inline], file };
    const harness = createPolicyHarness({ policy: acl, config, service: Shop });
    assert.equal(harness.call("Find", { query: "x" }).rule, "f");
    assert.equal(
      harness.call("Find", { query: "x" }, { caller: { app: "boss" } }).outcome,
      "passed",
    );
    writeFileSync(file, '[[rule]]\nname = "g"\neffect = "deny"\n');
    harness.reconfigure(config);
    assert.equal(harness.call("Find", { query: "y" }).rule, "g");
  });

  const broken: Record<string, [text: string, problem: RegExp]> = {
    "that is no TOML": ["[[rule]]\nname = \n", /^file: .*rules.toml:2:8: /],
    "with another table": [
      "[other]\n",
      /^file: .*rules.toml: expected \[\[rule\]\] tables only, found other$/,
    ],
    "with one rule": ["[rule]\n", /expected \[\[rule\]\] tables only/],
    "with a key too many": [
      '\n[[rule]]\nname = "a"\neffect = "deny"\nwen = "x"\n',
      /^file: .*rules.toml:2: rule 1: .*wen/,
    ],
    "with an unknown effect": [
      '[[rule]]\nname = "a"\neffect = "deny"\n\n[[rule]]\nname = "b"\neffect = "no"\n',
      /rules.toml:5: rule 2: effect: /,
    ],
    "with a bad expression": [
      '[[rule]]\nname = "a"\neffect = "deny"\nwhen = "true &&"\n',
      /rules.toml:1: rule "a": when, line 1, column 8: /,
    ],
    "with a field that is not there": [
      '[[rule]]\nname = "a"\neffect = "deny"\nwhen = "request.nope"\n',
      /^file: .*rules.toml:1: rule "a": when, line 1, column 9: /,
    ],
    "with a name twice": [
      '[[rule]]\nname = "a"\neffect = "deny"\n[[rule]]\nname = "a"\neffect = "deny"\n',
      /rules.toml:4: rule "a": there are two/,
    ],
  };
  for (const [name, [text, expected]] of Object.entries(broken)) {
    it(`${name} is refused with its place`, (context) => {
      const problems = problemsOf({ default: "allow", file: rulesFile(context, text) });
      assert.match(problems[0] ?? "", expected);
    });
  }

  it("may be empty", (context) => {
    assert.deepEqual(problemsOf({ default: "allow", file: rulesFile(context, "") }), []);
  });
});

describe("a rule that does not fit a method that came later", () => {
  it("denies if it is there to deny, and allows nothing", () => {
    const method: PreparedMethod = { service: shop.typeName, method: shop.methods[0]! };
    const first = (effect: "allow" | "deny"): string | undefined => {
      const rule: AclRule = {
        name: "a",
        effect,
        when: "request.nope == 1",
        status: 7,
        message: "",
      };
      const config: AclConfig = { mode: "enforce", default: "allow", rules: [rule] };
      const { set, problems } = preparedRules(config, method);
      assert.match(problems[0]!.message, /has no field "nope"/);
      return set.find(new CallInput())?.name;
    };
    assert.equal(first("deny"), "a");
    assert.equal(first("allow"), undefined);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkConfig } from "./check.ts";
import type { Config } from "./config.ts";
import { type PolicyProblem, placeInPolicy } from "./policy-place.ts";
import { formatPlace } from "./problem.ts";

const host = { prefix: "/run/koala", name: "box", directory: "/etc/koala" };

function configOf(text: string): Config {
  const { config, problems } = checkConfig({ text, fileName: "k.toml", host });
  assert.ok(config !== null, JSON.stringify(problems));
  return config;
}

/** Each problem as `place: message`. */
function problemsOf(text: string): string[] {
  const { problems } = checkConfig({ text, fileName: "k.toml", host });
  return (problems?.list ?? []).map(({ place, message }) => `${formatPlace(place)}: ${message}`);
}

/** Where a problem of the first policy stands. */
function placeOf(text: string, problem: Omit<PolicyProblem, "message">): string {
  const result = checkConfig({ text, fileName: "k.toml", host });
  assert.ok(result.config !== null, JSON.stringify(result.problems));
  const place = placeInPolicy(result.document, 0, { message: "", ...problem });
  const { range } = place;
  return `${formatPlace(place)} ${range === null ? "" : text.slice(range.start, range.end)}`;
}

describe("checkConfig, [[policy]]", () => {
  it("fills in what is not said", () => {
    const { policies } = configOf('[[policy]]\nuse = "acl"\n[[policy]]\nuse = "./p/mine.ts"');
    const rest = {
      match: {},
      enabled: true,
      onFailure: "closed",
      budgetMicros: 20_000,
      config: {},
    };
    assert.deepEqual(policies, [
      { name: "acl", use: "acl", order: 10, ...rest },
      { name: "mine", use: "./p/mine.ts", order: 20, ...rest },
    ]);
  });

  it("reads all keys, and the policy's own table as JSON would have it", () => {
    const { policies } = configOf(`
      [[policy]]
      name = "a"
      use = "@you/p"
      match = { service = "geo.*", caller = ["x", "y"], side = "client", labels = { tier = "g*" } }
      order = -5
      enabled = false
      on_failure = "open"
      budget = "500us"
      [policy.config]
      rate = 10
      factor = 1.0
      at = 2026-01-01T00:00:00Z
      rules = [{ when = "x", n = [1, 2] }]
    `);
    assert.deepEqual(policies, [
      {
        name: "a",
        use: "@you/p",
        match: {
          service: ["geo.*"],
          caller: ["x", "y"],
          side: "client",
          labels: { tier: "g*" },
        },
        order: -5,
        enabled: false,
        onFailure: "open",
        budgetMicros: 500,
        config: {
          rate: 10,
          factor: 1,
          at: "2026-01-01T00:00:00.000Z",
          rules: [{ when: "x", n: [1, 2] }],
        },
      },
    ]);
  });

  it("refuses what it does not know, with its place and the nearest word", () => {
    assert.deepEqual(
      problemsOf(`[[policy]]
use = "acl"
mach = {}
match = { sevice = "x", side = "clinet", method = 5 }
on_failure = "opne"
order = 1.5
config = { n = 99999999999999999 }
`).sort(),
      [
        'k.toml:4:11: unknown key "sevice" in match of [[policy]]. Did you mean "service"?',
        'k.toml:4:51: method in match of [[policy]] must be a text such as "geo.*", or a list of them, found 5.',
        'k.toml:4:32: side in match of [[policy]] must be "both" or "client" or "server", found "clinet". Did you mean "client"?',
        "k.toml:6:9: order in [[policy]] must be a whole number from -1000000 to 1000000, found 1.5.",
        'k.toml:5:14: on_failure in [[policy]] must be "closed" or "open", found "opne". Did you mean "open"?',
        "k.toml:7:10: config in [[policy]] must be a table whose numbers are within 2^53, found { n = 99999999999999999 }.",
        'k.toml:3:1: unknown key "mach" in [[policy]]. Did you mean "match"?',
      ].sort(),
    );
    assert.deepEqual(problemsOf('[[policy]]\nname = "x"'), [
      'k.toml:1:1: [[policy]] lacks the key "use": the name of a module, such as "acl", or the path of one.',
    ]);
  });

  it("refuses a name that is there twice, and one that can't be made of `use`", () => {
    assert.deepEqual(problemsOf('[[policy]]\nuse = "acl"\n[[policy]]\nname = "acl"\nuse = "log"'), [
      'k.toml:4:8: two policies have the name "acl". Give one of them another name.',
    ]);
    assert.match(
      problemsOf('[[policy]]\nuse = "./my policy.ts"')[0]!,
      /^k\.toml:2:7: this policy needs/,
    );
  });

  it("makes the folders of [modules] absolute", () => {
    const { modules } = configOf('[modules]\ndirectories = ["policies", "/opt/p"]');
    assert.deepEqual(modules, {
      directories: ["/etc/koala/policies", "/opt/p"],
      base: "/etc/koala",
    });
    assert.deepEqual(problemsOf('[modules]\ndirectories = "p"'), [
      'k.toml:2:15: directories in [modules] must be a list of paths of folders, found "p". Write ["p"].',
    ]);
  });
});

describe("placeInPolicy", () => {
  const text = `[[policy]]
use = "acl"
[[policy.config.rules]]
name = "r"
when = "a == \\"b\\" && c"
[[policy.config.rules]]
when = '''
first
second'''
`;

  it("finds keys, values and what lacks", () => {
    assert.equal(placeOf(text, { path: ["rules", 0, "name"] }), 'k.toml:4:8 "r"');
    assert.equal(placeOf(text, { path: ["rules", 0, "name"], isKey: true }), "k.toml:4:1 name");
    assert.equal(placeOf(text, { path: ["rules", 0, "x"] }), "k.toml:3:1 [[policy.config.rules]]");
    assert.equal(placeOf('[[policy]]\nuse = "x"', { path: ["a"] }), "k.toml:1:1 [[policy]]");
  });

  it("counts in the value of a string, not in what is written", () => {
    const at = (rule: number, offset: number): string =>
      placeOf(text, { path: ["rules", rule, "when"], offset });
    assert.equal(at(0, 0), "k.toml:5:9 a");
    assert.equal(at(0, 'a == "b" && '.length), "k.toml:5:23 c");
    assert.equal(at(1, 0), "k.toml:8:1 f");
    assert.equal(at(1, "first\ns".length), "k.toml:9:2 e");
  });
});

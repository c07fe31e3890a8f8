import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import { createPolicyHarness, type PolicyHarness, Shop, testPolicy } from "@koala/testing-policy";
import acl from "./index.ts";

function harnessFor(config: object): PolicyHarness {
  return createPolicyHarness({ policy: acl, config, service: Shop });
}

const deny = (when: string, more: object = {}): object => ({
  default: "allow",
  rules: [{ name: "r", effect: "deny", when, ...more }],
});

testPolicy({
  policy: acl,
  validConfigs: [
    { name: "all is allowed", config: { default: "allow" } },
    {
      name: "allowed by a field",
      config: {
        default: "deny",
        rules: [
          { name: "other", effect: "allow", method: "Buy", when: "request.count != 3" },
          { name: "all", effect: "allow", method: "Find", when: "request.query != 'nope'" },
        ],
      },
    },
    {
      name: "shadow",
      config: { ...deny("metadata.exists(k, k != 'x')"), mode: "shadow" },
    },
  ],
  invalidConfigs: [
    { name: "no default", config: {}, path: "default" },
    { name: "a key that there is not", config: { default: "allow", rule: [] }, path: "" },
    {
      name: "a rule without effect",
      config: { default: "allow", rules: [{ name: "x" }] },
      path: "rules.0.effect",
    },
    {
      name: "a syntax error",
      config: deny("caller.app = 'x'"),
      path: "rules.0.when",
      message: /==/,
    },
    {
      name: "an unknown variable",
      config: deny("user == 'x'"),
      path: "rules.0.when",
      message: /unknown name/,
    },
    {
      name: "no bool",
      config: deny("caller.app"),
      path: "rules.0.when",
      message: /a condition is a bool/,
    },
    {
      name: "a field that no request has",
      config: deny("request.nope == 1"),
      path: "rules.0.when",
      message: /FindRequest has no field "nope"/,
    },
    {
      name: "a field of one method only",
      config: deny("request.cents > 1"),
      path: "rules.0.when",
      message: /FindRequest has no field "cents"/,
    },
    {
      name: "a type error",
      config: deny("request.cents > 'a'", { method: "Buy" }),
      path: "rules.0.when",
      message: /> is not defined for int and string/,
    },
    {
      name: "the name of the default",
      config: deny("true", { name: "default" }),
      path: "rules.0.name",
    },
    { name: "a name with blanks", config: deny("true", { name: "a b" }), path: "rules.0.name" },
    { name: "status OK", config: deny("true", { status: "OK" }), path: "rules.0.status" },
    { name: "a relative file", config: { default: "allow", file: "rules.toml" }, path: "file" },
    {
      name: "a file that is not there",
      config: { default: "allow", file: "/nonexistent/rules.toml" },
      path: "file",
      message: /can't read/,
    },
    {
      name: "two rules of a name",
      config: {
        default: "allow",
        rules: [
          { name: "a", effect: "allow" },
          { name: "a", effect: "deny" },
        ],
      },
      path: "rules.1.name",
    },
  ],
  denies: { default: "deny" },
});

describe("acl", () => {
  it("lets the first rule that fits decide", () => {
    const harness = harnessFor({
      default: "allow",
      rules: [
        { name: "boss", effect: "allow", when: "caller.uid == 0" },
        {
          name: "large",
          effect: "deny",
          method: "Buy",
          when: "request.cents > 100000",
          status: "RESOURCE_EXHAUSTED",
          message: "too much",
        },
        { name: "guests", effect: "deny", caller: ["guest-*", "*@elsewhere"] },
      ],
    });
    const outcome = (method: string, request: object, caller: object): string => {
      const call = harness.call(method, request, { caller });
      return call.outcome === "denied" ? call.rule : call.outcome;
    };
    assert.equal(outcome("Buy", { cents: 100_001n }, { uid: 0 }), "passed");
    assert.equal(outcome("Buy", { cents: 100_001n }, {}), "large");
    assert.equal(outcome("Buy", { cents: 100_000n }, {}), "passed");
    assert.equal(outcome("Find", {}, { app: "guest-1" }), "guests");
    assert.equal(outcome("Find", {}, { app: "web", host: "elsewhere" }), "guests");
    assert.equal(outcome("Find", {}, { app: "web" }), "passed");
    assert.deepEqual(
      { ...harness.counters },
      { allowed: 3, denied: 3, shadow_denied: 0, failed_rules: 0 },
    );
    const call = harness.call("Buy", { cents: 200_000n });
    assert.deepEqual([call.status, call.message], [Status.RESOURCE_EXHAUSTED, "too much"]);
  });

  it("denies by default with a rule of that name", () => {
    const call = harnessFor({ default: "deny" }).call("Find");
    assert.equal(call.outcome, "denied");
    assert.deepEqual(
      [call.status, call.rule, call.message],
      [Status.PERMISSION_DENIED, "default", "no rule allows the call"],
    );
  });

  const fields: readonly [when: string, method: string, request: object, denied: boolean][] = [
    ["request.customer.tier == Tier.TIER_FREE", "Find", { customer: { tier: 1 } }, true],
    ["request.customer.tier == shop.v1.Tier.TIER_FREE", "Find", {}, false],
    ["'admin' in request.customer.roles", "Find", { customer: { roles: ["x", "admin"] } }, true],
    ["!has(request.note)", "Buy", { note: "" }, false],
    ["!has(request.note)", "Buy", {}, true],
    [
      "has(request.card) && request.card.startsWith('4')",
      "Buy",
      { payment: { case: "card", value: "42" } },
      true,
    ],
    ["request.on_account", "Buy", { payment: { case: "onAccount", value: true } }, true],
    ["request.labels.color == 'red'", "Buy", { labels: { color: "red" } }, true],
    ["request.voucher == b'\\x01'", "Buy", { voucher: Uint8Array.of(1) }, true],
    ["request.cents == 9007199254740993", "Buy", { cents: 9007199254740992n }, false],
    ["request.query.matches('^(a+)+$')", "Find", { query: "aaa" }, true],
    ["method == 'Find' && service == 'shop.v1.Shop' && side == 'client'", "Find", {}, true],
    ["target.endsWith('Shop')", "Find", {}, true],
  ];
  for (const [when, method, request, denied] of fields) {
    it(`reads typed fields: ${when} (${denied})`, () => {
      const call = harnessFor(deny(when, { method })).call(method, request);
      assert.equal(call.outcome, denied ? "denied" : "passed");
    });
  }

  it("reads metadata, whatever the case of a name, and bytes as base64", () => {
    const harness = harnessFor(
      deny("metadata['X-Team'] == 'geo' && metadata['key-bin'] == 'AQI=' && size(metadata) == 2"),
    );
    const metadata = { "x-team": "geo", "key-bin": Uint8Array.of(1, 2) };
    assert.equal(harness.call("Find", {}, { metadata }).outcome, "denied");
    assert.equal(
      harness.call("Find", {}, { metadata: { ...metadata, more: "1" } }).outcome,
      "passed",
    );
  });

  it("reads labels of the caller", () => {
    const harness = harnessFor(deny("has(caller.labels.zone) && caller.labels.zone != 'eu'"));
    const labels = (zone: string): object => ({ caller: { labels: { zone } } });
    assert.equal(harness.call("Find", {}, labels("us")).outcome, "denied");
    assert.equal(harness.call("Find", {}, labels("eu")).outcome, "passed");
    assert.equal(harness.call("Find").outcome, "passed");
  });

  it("in shadow mode lets all pass, counts and tells", () => {
    const harness = harnessFor({
      ...deny("request.query == 'x'", { method: "Find" }),
      mode: "shadow",
    });
    assert.equal(
      harness.call("Find", { query: "x" }, { caller: { app: "web" } }).outcome,
      "passed",
    );
    assert.equal(harness.call("Find", { query: "y" }).outcome, "passed");
    assert.deepEqual([harness.counters["shadow_denied"], harness.counters["allowed"]], [1, 1]);
    assert.deepEqual(harness.events, [
      {
        what: "shadow_denied",
        fields: { rule: "r", request: "test-1", caller: "web", method: "shop.v1.Shop/Find" },
      },
    ]);
  });

  it("is on the safe side when an expression fails", () => {
    const failing = "metadata['nope'] == 'x'";
    const denying = harnessFor(deny(failing));
    assert.equal(denying.call("Find").rule, "r");
    assert.equal(denying.counters["failed_rules"], 1);
    assert.equal(denying.events[0]?.what, "rule_failed");
    assert.equal(denying.events[0]?.fields["reason"], "the map has no such key");
    const allowing = harnessFor({
      default: "deny",
      rules: [{ name: "a", effect: "allow", when: failing }],
    });
    assert.equal(allowing.call("Find").rule, "default");
  });

  it("reads the request only when a rule comes to it", () => {
    const config = deny("caller.app == 'guest' && request.query == 'x'", { method: "Find" });
    const harness = harnessFor(config);
    // A malformed request is found out by reading it.
    assert.equal(harness.call("Find", {}, { malformed: true }).outcome, "passed");
    const guest = { caller: { app: "guest" }, malformed: true };
    assert.equal(harness.call("Find", {}, guest).outcome, "malformed");
    assert.equal(
      harness.call("Find", { query: "x" }, { caller: { app: "guest" } }).outcome,
      "denied",
    );
  });

  it("is left out where no rule is and the default allows", () => {
    const harness = harnessFor(deny("request.cents > 1", { method: "shop.v1.Shop/B*" }));
    harness.call("Find", {});
    assert.equal(harness.counters["allowed"], 0);
    assert.equal(harness.call("Buy", { cents: 2n }).outcome, "denied");
  });

  it("decides right among many rules", () => {
    const rules = Array.from({ length: 100 }, (_, n) => ({
      name: `n${n}`,
      effect: "deny",
      method: "Find",
      when: `request.limit == ${n}`,
    }));
    const harness = harnessFor({ default: "allow", rules });
    for (const limit of [0, 31, 32, 63, 64, 99]) {
      assert.equal(harness.call("Find", { limit }).rule, `n${limit}`);
    }
    assert.equal(harness.call("Find", { limit: 100 }).outcome, "passed");
  });

  it("follows a new configuration", () => {
    const harness = harnessFor(deny("request.query == 'x'", { method: "Find" }));
    assert.equal(harness.call("Find", { query: "x" }).outcome, "denied");
    harness.reconfigure(deny("request.query == 'y'", { method: "Find" }));
    assert.equal(harness.call("Find", { query: "x" }).outcome, "passed");
    assert.equal(harness.call("Find", { query: "y" }).outcome, "denied");
    assert.throws(() => harness.reconfigure(deny("request.nope")), { code: "ERR_HARNESS_CONFIG" });
    assert.equal(harness.call("Find", { query: "y" }).outcome, "denied");
  });
});

// The example on docs/reference/policies/acl.md is one that the policy takes, and the tables name all keys.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { createPolicyHarness, Shop } from "@koala/testing-policy";
import { parse } from "smol-toml";
import acl from "./index.ts";

const page = readFileSync(
  new URL("../../../docs/reference/policies/acl.md", import.meta.url),
  "utf8",
);

/** First cells of the rows of all tables. */
const cells = [...page.matchAll(/^\| `([\w]+)`/gm)].map(([, name]) => name);

describe("the page of acl", () => {
  it("has an example that works", () => {
    const toml = /```toml\n([\s\S]*?)```/.exec(page)![1]!;
    const { policy } = parse(toml) as { policy: { config: Record<string, unknown> }[] };
    const { file, ...config } = policy[0]!.config;
    assert.equal(typeof file, "string");
    const harness = createPolicyHarness({ policy: acl, config, service: Shop });
    const web = { caller: { app: "web" } };
    assert.equal(harness.call("Buy", { cents: 100_001n }, web).rule, "large-orders");
    const free = { customer: { tier: 1 }, limit: 21 };
    assert.equal(harness.call("Find", free, web).rule, "free-tier");
    assert.equal(harness.call("Find", {}, web).outcome, "passed");
    assert.equal(harness.call("Find").rule, "default");
  });

  it("names all keys, counters and variables", () => {
    const names = [
      ...["mode", "default", "rules", "file"],
      ...["name", "effect", "caller", "method", "when", "status", "message"],
      ...["request", "metadata", "service", "target", "side"],
      ...acl.counters!,
    ];
    for (const name of names) assert.ok(cells.includes(name), name);
  });
});

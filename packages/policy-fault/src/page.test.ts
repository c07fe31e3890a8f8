// The example on docs/reference/policies/fault.md is one that the policy takes, and the tables name all keys.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { createPolicyHarness, Shop } from "@koala/testing-policy";
import { parse } from "smol-toml";
import policy from "./index.ts";

const page = readFileSync(
  new URL("../../../docs/reference/policies/fault.md", import.meta.url),
  "utf8",
);

/** First cells of the rows of all tables. */
const cells = [...page.matchAll(/^\| `([\w.]+)`/gm)].map(([, name]) => name);

describe("the page of fault", () => {
  it("has an example that works", () => {
    const toml = /```toml\n([\s\S]*?)```/.exec(page)![1]!;
    const { policy: list } = parse(toml) as {
      policy: { use: string; config: Record<string, unknown>; match?: { method?: string } }[];
    };
    const { use, config, match } = list[0]!;
    assert.equal(use, policy.name);
    const only = match?.method === undefined ? {} : { match: { method: [match.method] } };
    const harness = createPolicyHarness({ policy, config, service: Shop, ...only });
    assert.notEqual(harness.call("Find").outcome, "malformed");
  });

  it("names all keys and counters", () => {
    for (const name of [
      ...["seed", "delay", "abort", "rules"],
      ...["time", "min", "max", "probability", "status", "message", "method"],
      ...policy.counters!,
    ])
      assert.ok(cells.includes(name), name);
    const known = Object.keys(policy.config.parse({ abort: {} }) as object);
    for (const key of known)
      assert.ok(
        cells.some((cell) => cell!.startsWith(key)),
        key,
      );
  });
});

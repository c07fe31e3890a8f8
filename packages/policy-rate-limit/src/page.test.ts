// The example on docs/reference/policies/rate-limit.md is one that the policy takes, and the tables name all keys.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { createPolicyHarness, Shop } from "@koala/testing-policy";
import { parse } from "smol-toml";
import policy from "./index.ts";

const page = readFileSync(
  new URL("../../../docs/reference/policies/rate-limit.md", import.meta.url),
  "utf8",
);

/** First cells of the rows of all tables. */
const cells = [...page.matchAll(/^\| `([\w.]+)`/gm)].map(([, name]) => name);

/** Cells of the row of a key. */
function cellsOf(key: string): string[] {
  const row = page.split("\n").find((line) => line.startsWith(`| \`${key}\` `)) ?? "";
  const cells = row.split("|").map((cell) => cell.trim().replaceAll("`", ""));
  return cells.slice(1, -1);
}

describe("the page of rate-limit", () => {
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
      ...["rate", "burst", "by", "key", "mode", "keys_max", "status"],
      ...["queue.length", "queue.wait"],
      ...policy.counters!,
    ])
      assert.ok(cells.includes(name), name);
    const known = Object.keys(policy.config.parse({ rate: 100 }) as object);
    for (const key of known)
      assert.ok(
        cells.some((cell) => cell!.startsWith(key)),
        key,
      );
  });

  it("says what the defaults are", () => {
    const defaults = policy.config.parse({ rate: 100 }) as unknown as Record<string, unknown>;
    for (const key of ["by", "mode", "keys_max"]) {
      assert.equal(cellsOf(key)[1], JSON.stringify(defaults[key]));
    }
    assert.equal(defaults["burst"], 8, "80 ms worth");
  });
});

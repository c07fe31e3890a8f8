/** Whether the page of a policy is true: its example works, its tables name all there is, with the defaults that are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { PolicyDefinition } from "@koala/policy";
import { parse } from "smol-toml";
import { Shop } from "./gen/shop/v1/shop_pb.ts";
import { createPolicyHarness } from "./harness.ts";

/** A page below docs/reference/policies, and what it has to say. */
export interface PolicyPage {
  readonly policy: PolicyDefinition;
  readonly page: URL;
  /** The smallest configuration that the policy takes. */
  readonly smallest: object;
  /** Keys that the tables have rows for, those inside of tables included. */
  readonly keys: readonly string[];
  /** Of these, those whose second cell is the default as JSON. */
  readonly defaults?: readonly string[];
  /** Replaces keys of the example that only make sense elsewhere, files for instance. */
  readonly replace?: Readonly<Record<string, unknown>>;
}

interface Example {
  readonly policy: readonly {
    readonly use: string;
    readonly config: Record<string, unknown>;
    readonly match?: { readonly method?: string };
  }[];
}

/** Registers the tests of a page. */
export function testPage(subject: PolicyPage): void {
  const { policy, page, smallest, keys, defaults = [], replace = {} } = subject;
  const text = readFileSync(page, "utf8");
  /** Cells of all rows that begin with a name. */
  const rows = text
    .split("\n")
    .filter((line) => /^\| `[\w.[\]]+`/.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")))
    .map((cells) => cells.slice(1, -1));
  const names = rows.map(([name = ""]) => name);

  describe(`the page of ${policy.name}`, () => {
    it("has an example that works", () => {
      const toml = /```toml\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
      const { use, config, match } = (parse(toml) as unknown as Example).policy[0]!;
      assert.equal(use, policy.name);
      const harness = createPolicyHarness({
        policy,
        config: { ...config, ...replace },
        service: Shop,
        ...(match?.method === undefined ? {} : { match: { method: [match.method] } }),
      });
      assert.notEqual(harness.call("Find").outcome, "malformed");
    });

    it("names all keys and counters", () => {
      for (const key of keys) assert.ok(names.includes(key), key);
      for (const counter of policy.counters ?? []) {
        assert.ok(text.includes(`\`${counter}\``), `the counter ${counter}`);
      }
      for (const key of Object.keys(policy.config.parse(smallest) as object)) {
        assert.ok(
          names.some((name) => name.startsWith(key)),
          key,
        );
      }
    });

    if (defaults.length === 0) return;
    it("says what the defaults are", () => {
      const values = policy.config.parse(smallest) as Record<string, unknown>;
      for (const key of defaults) {
        const row = rows.find(([name]) => name === key);
        assert.equal(row?.[1], JSON.stringify(values[key]), key);
      }
    });
  });
}

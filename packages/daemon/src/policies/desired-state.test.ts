import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import type { PolicyConfig } from "../config/index.ts";
import {
  type DesiredState,
  originOf,
  policiesOf,
  stateOfFile,
  withAttached,
  withFile,
  withoutPatch,
  withoutPolicy,
  withPatch,
} from "./desired-state.ts";

function policy(name: string, order: number, more: Partial<PolicyConfig> = {}): PolicyConfig {
  const rest = { match: {}, enabled: true, onFailure: "closed", budgetMicros: 1000 } as const;
  return { name, use: "null", order, config: {}, ...rest, ...more };
}

const file = stateOfFile([policy("a", 10), policy("b", 20)]);

function namesOf(state: DesiredState): string {
  return policiesOf(state)
    .map(({ name }) => name)
    .join(" ");
}

function isNameError(error: unknown): boolean {
  return error instanceof KoalaError && error.code === "ERR_POLICY_NAME";
}

describe("DesiredState", () => {
  it("orders by number, and by position where that is the same", () => {
    const state = withAttached(withAttached(file, policy("c", 10)), policy("d", 5));
    assert.equal(namesOf(state), "d a c b");
  });

  it("keeps what was done by hand on top of the file", () => {
    const attached = withAttached(file, policy("c", 30));
    const set = withPatch(withPatch(attached, "a", { order: 40 }), "c", { order: 1 });
    assert.equal(namesOf(withoutPolicy(set, "b")), "c a");
    assert.equal(originOf(set, "a"), "changed");
    assert.equal(originOf(set, "b"), "file");
    assert.equal(originOf(set, "c"), "admin");
  });

  it("undoes what was set, and what was detached", () => {
    const state = withoutPolicy(withPatch(file, "a", { order: 99 }), "b");
    assert.equal(namesOf(withoutPatch(withoutPatch(state, "a"), "b")), "a b");
    assert.throws(() => withoutPatch(withAttached(file, policy("c", 1)), "c"), isNameError);
  });

  it("removes what was attached by hand, and forgets what was set of what it detaches", () => {
    const state = withoutPolicy(withAttached(file, policy("c", 1)), "c");
    assert.deepEqual(state, file);
    const detached = withoutPolicy(withPatch(file, "a", { order: 99 }), "a");
    assert.deepEqual(detached.changed, {});
  });

  it("refuses names that are there, or not there", () => {
    assert.throws(() => withAttached(file, policy("a", 1)), isNameError);
    assert.throws(() => withPatch(file, "x", {}), isNameError);
    assert.throws(() => withoutPolicy(file, "aa"), /Did you mean "a"|There are: a, b/);
  });

  it("lets another file in below, and says what does not count of it", () => {
    let state = withAttached(withAttached(file, policy("c", 30)), policy("d", 40));
    state = withoutPolicy(withPatch(state, "a", { order: 35 }), "b");
    const next = withFile(state, [policy("a", 1), policy("b", 2), policy("c", 3)]);
    assert.equal(namesOf(next.state), "c a d");
    assert.equal(next.notes.length, 3);
    const without = withFile(state, []);
    assert.equal(namesOf(without.state), "c d");
    assert.deepEqual(without.state.detached, []);
    assert.deepEqual(without.state.changed, {});
  });
});

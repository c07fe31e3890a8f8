import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import { type Options, parseOptions } from "./options.ts";

const names = {
  cases: ["latency", "rate"],
  systems: ["grpc-js", "ring-tcp", "ring-local"],
  groups: { ring: ["ring-tcp", "ring-local"] },
};

function parse(...args: string[]): Options {
  return parseOptions(args, names);
}

function assertMisuse(pattern: RegExp, ...args: string[]): void {
  assert.throws(
    () => parse(...args),
    (error: unknown) =>
      error instanceof KoalaError &&
      error.code === "ERR_BENCH_USAGE" &&
      pattern.test(error.message),
    `${args.join(" ")} should be refused with ${pattern}`,
  );
}

describe("parseOptions", () => {
  it("takes all cases and the default systems when none is named", () => {
    const options = parse();
    assert.deepEqual(options.cases, ["latency", "rate"]);
    assert.equal(options.systems, undefined);
    assert.equal(options.json, false);
  });

  it("keeps the order of cases, each once", () => {
    assert.deepEqual(parse("rate", "latency", "rate").cases, ["latency", "rate"]);
  });

  it("resolves names that stand for several systems", () => {
    assert.deepEqual(parse("--systems", "grpc-js,ring").systems, [
      "grpc-js",
      "ring-tcp",
      "ring-local",
    ]);
    assert.deepEqual(parse("--systems=ring-tcp").systems, ["ring-tcp"]);
  });

  it("reads numbers, and lets them override --quick", () => {
    assert.equal(parse("--seconds", "0.5").seconds, 0.5);
    assert.equal(parse("--quick", "--rounds=7").rounds, 7);
    assert.ok(parse("--quick").seconds < parse().seconds);
  });

  it("reads which processors queues are tied to", () => {
    assert.equal(parse().affinity, "none");
    assert.equal(parse("--affinity", "smt").affinity, "smt");
    assertMisuse(/unknown affinity "cores". Did you mean "core"\?/, "--affinity", "cores");
    assertMisuse(/--affinity needs a value/, "--affinity");
  });

  it("says what was meant", () => {
    assertMisuse(/unknown case "latncy". Did you mean "latency"\?/, "latncy");
    assertMisuse(/unknown option "--jsno". Did you mean "--json"\?/, "--jsno");
    assertMisuse(/unknown system "grpc". .*There are: grpc-js/, "--systems", "grpc");
    assertMisuse(/unknown system "grcp-js". Did you mean "grpc-js"\?/, "--profile", "grcp-js");
  });

  it("refuses values that are none", () => {
    assertMisuse(/--seconds is "0", expected a number above 0/, "--seconds", "0");
    assertMisuse(/--rounds is "many"/, "--rounds", "many");
    assertMisuse(/--systems needs a value/, "--systems");
    assertMisuse(/--json takes no value/, "--json=1");
    assertMisuse(/leave --systems out/, "--profile", "grpc-js", "--systems", "grpc-js");
  });
});

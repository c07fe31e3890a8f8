import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseConfig } from "../config/index.ts";
import { runtimesMaxOf } from "./runtimes-max.ts";

describe("runtimesMaxOf", () => {
  const maxOf = (text: string): number => runtimesMaxOf(parseConfig(text, "k.toml"));

  it("is the number of the configuration, or more where apps get runtimes of their own", () => {
    assert.equal(maxOf("daemon.runtimes = 3"), 3);
    assert.equal(maxOf('runtime = { mode = "dedicated", runtimes_max = 5 }'), 5);
    assert.equal(
      maxOf('runtime.runtimes_max = 5\nplacement = [{ caller = "a", runtime = "dedicated" }]'),
      5,
    );
    assert.equal(
      maxOf('daemon.runtimes = 9\nruntime = { mode = "dedicated", runtimes_max = 5 }'),
      9,
    );
  });
});

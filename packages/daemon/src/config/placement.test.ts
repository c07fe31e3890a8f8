import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkConfig } from "./check.ts";
import { formatProblems } from "./problem.ts";

const host = { prefix: "/run/koala", name: "box", directory: "/" };

function check(text: string): ReturnType<typeof checkConfig> {
  return checkConfig({ text, fileName: "k.toml", host });
}

function problemsOf(text: string): string {
  const { problems } = check(text);
  return problems === null ? "" : formatProblems(problems.list);
}

describe("[runtime] and [[placement]]", () => {
  it("are read", () => {
    const { config } = check(`
      [daemon]
      runtimes = 4
      [runtime]
      mode = "compact"
      runtimes_max = 6
      affinity = "numa"
      stall = "500ms"
      rebalance = "on"
      [[placement]]
      caller = "db-*"
      runtime = 3
      [[placement]]
      caller = "*"
      runtime = "dedicated"
    `);
    assert.ok(config !== null);
    const { mode, runtimesMax, affinity, stallMs, rebalance } = config.runtime;
    assert.deepEqual(
      { mode, runtimesMax, affinity, stallMs, rebalance },
      { mode: "compact", runtimesMax: 6, affinity: "numa", stallMs: 500, rebalance: "on" },
    );
    assert.deepEqual(config.placements, [
      { caller: "db-*", runtime: 3 },
      { caller: "*", runtime: "dedicated" },
    ]);
  });

  it("say what is wrong, and where", () => {
    assert.match(
      problemsOf('[runtime]\nmode = "shard"'),
      /^k\.toml:2:8: .* Did you mean "shared"\?/,
    );
    assert.match(problemsOf('[runtime]\nstall = "1ms"'), /^k\.toml:2:9: .* 50ms to 1h/);
    const placement = (rest: string): string => problemsOf(`[[placement]]\ncaller = "a"\n${rest}`);
    assert.match(placement('runtime = "spred"'), /^k\.toml:3:11: .* Did you mean "spread"\?/);
    assert.match(placement("runtime = 64"), /^k\.toml:3:11: .* a whole number from 0 to 63/);
    assert.match(placement("runtime = 1.0"), /^k\.toml:3:11: /);
    assert.match(placement(""), /lacks the key "runtime"/);
    assert.match(problemsOf('[[placement]]\ncaller = ""\nruntime = 0'), /^k\.toml:2:10: /);
  });

  it("know which runtimes there are", () => {
    const text = '[daemon]\nruntimes = 2\n[[placement]]\ncaller = "a"\nruntime = 2';
    assert.match(
      problemsOf(text),
      /^k\.toml:5:11: there is no runtime 2: runtimes in \[daemon\] is 2, and they count from 0\.[\s\S]*k\.toml:2:12: runtimes in \[daemon\] is set here\./,
    );
    assert.match(problemsOf('[[placement]]\ncaller = "a"\nruntime = 1'), /is 1 \(the default\)/);
    assert.equal(problemsOf('[[placement]]\ncaller = "a"\nruntime = 0'), "");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AreaLog } from "../log/index.ts";
import { engineContracts, engineModuleProblem } from "./engine-module.ts";
import type { EngineAnswer, EngineCommand } from "./engine-orders.ts";
import { EngineUpgrades } from "./engine-upgrades.ts";
import { type OrderTaker, RuntimeOrders } from "./runtime-orders.ts";

const from = { version: "1.0.0", stateVersion: 1 };
const to = { version: "1.1.0", stateVersion: 1 };
const failed: EngineAnswer = { order: "failed", code: "ERR_ENGINE_RESTORE", reason: "no" };
const moves = [{ engine: "frontend", label: "app", pauseMicros: 7, callsInFlight: 3 }];

function answerTo({ order }: EngineCommand): EngineAnswer {
  if (order === "prepare") return { order, from, to, micros: 5 };
  if (order === "replace" || order === "back") return { order, moves, openCalls: 3 };
  return { order: "forget" };
}

/** Upgrades over runtimes that note their orders; `fails` says which order of which runtime fails. */
function make(fails: Record<string, EngineAnswer> = {}): {
  upgrades: EngineUpgrades;
  said: string[];
  runtime(index: number): OrderTaker;
} {
  const said: string[] = [];
  const orders = new RuntimeOrders();
  const runtime = (index: number): OrderTaker => ({
    index,
    command: (command: EngineCommand) => {
      const line = `${index} ${command.order}`;
      said.push(line);
      const answer = fails[line] ?? answerTo(command);
      setImmediate(() => orders.take({ op: "engines", seq: command.seq, ...answer }));
    },
  });
  const runtimes = [runtime(0), runtime(1)];
  const nothing = (): void => {};
  const log = {
    info: nothing,
    warn: nothing,
    error: nothing,
    debug: nothing,
  } as unknown as AreaLog;
  const upgrades = new EngineUpgrades({
    runtimes: () => runtimes,
    orders,
    compile: (path) => ({
      entry: path,
      compiled: { path: `${path}.compiled`, hash: "0123456789", sources: new Map(), order: [] },
    }),
    alone: (change) => change(),
    revision: () => 4,
    events: { publish: nothing },
    log,
  });
  return { upgrades, said, runtime };
}

describe("EngineUpgrades", () => {
  it("asks all runtimes before it changes the first", async () => {
    const { upgrades, said } = make();
    const answer = await upgrades.upgrade({ module: "frontend", path: "/x" });
    assert.deepEqual(said, ["0 prepare", "1 prepare", "0 replace", "1 replace"]);
    assert.equal(answer.changes[0]?.detail, "frontend 1.0.0 → 1.1.0");
    assert.deepEqual(answer.engines, [
      { ...moves[0], runtime: 0, failed: 0 },
      { ...moves[0], runtime: 1, failed: 0 },
    ]);
  });

  it("changes nothing when one says no, or when it is asked to try only", async () => {
    const { upgrades, said } = make({ "1 prepare": failed });
    await assert.rejects(upgrades.upgrade({ module: "frontend" }), /runtime 1: no/);
    assert.deepEqual(said, ["0 prepare", "1 prepare", "0 forget", "1 forget"]);
    const dry = make();
    await dry.upgrades.upgrade({ module: "frontend", dryRun: true });
    assert.deepEqual(dry.said, ["0 prepare", "1 prepare", "0 forget", "1 forget"]);
  });

  it("brings runtimes back that have changed when a later one can't", async () => {
    const { upgrades, said } = make({ "1 replace": failed });
    const asked = upgrades.upgrade({ module: "frontend", path: "/x" });
    await assert.rejects(asked, { code: "ERR_ENGINE_RESTORE" });
    assert.deepEqual(said.slice(2), ["0 replace", "1 replace", "0 back", "0 forget", "1 forget"]);
  });

  it("gives a runtime that comes later the code that the others have", async () => {
    const { upgrades, said, runtime } = make();
    const late = runtime(2);
    await upgrades.prepare(late);
    assert.deepEqual(said, []);
    await upgrades.upgrade({ module: "frontend", path: "/x" });
    await upgrades.prepare(late);
    assert.deepEqual(said.slice(4), ["2 prepare", "2 replace"]);
  });

  it("says which code it has, and what that provides", async () => {
    const { upgrades } = make();
    const facts = (): string[] =>
      upgrades.modules().map(({ name, file, provides }) => `${name} ${file} ${provides.join()}`);
    assert.deepEqual(facts(), ["frontend  frontend/1", "adapter  adapter/1"]);
    await upgrades.upgrade({ module: "frontend", path: "/x" });
    assert.deepEqual(facts(), ["frontend /x frontend/1", "adapter  adapter/1"]);
    assert.equal(upgrades.modules()[0]?.version, to.version);
    await upgrades.upgrade({ module: "frontend" });
    assert.equal(upgrades.modules()[0]?.file, "");
  });
});

describe("engineModuleProblem", () => {
  const good = {
    name: "frontend",
    contract: engineContracts.frontend,
    ...to,
    accepts: () => "",
    create: () => 0,
    restore: () => 0,
  };

  it("says what is missing", () => {
    assert.equal(engineModuleProblem(good, "frontend"), "");
    assert.match(engineModuleProblem(null, "frontend"), /default export, found null/);
    assert.match(engineModuleProblem({ ...good, name: "x" }, "frontend"), /named "frontend"/);
    assert.match(engineModuleProblem({ ...good, version: "" }, "frontend"), /no version/);
    assert.match(engineModuleProblem({ ...good, stateVersion: 1.5 }, "frontend"), /stateVersion/);
    assert.match(
      engineModuleProblem({ ...good, contract: 99 }, "frontend"),
      /written for contract 99, and this daemon has frontend\/1/,
    );
    assert.match(engineModuleProblem({ ...good, restore: 1 }, "frontend"), /"restore"/);
  });
});

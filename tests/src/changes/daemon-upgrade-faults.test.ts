/** Upgrades of the daemon in which a process dies, or does not do its part. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { until } from "@koala/testing";
import { type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { type Load, startLoad } from "../stage/load.ts";

const suiteMs = 400_000;
const fake = fileURLToPath(new URL("../programs/fake-successor.js", import.meta.url));
/** When a process is killed, after the upgrade was asked for: from its start to the change itself. */
const killMs = [50, 250, 500, 700, 900, 1200];

async function assertUnharmed(load: Load): Promise<void> {
  const { done } = load;
  await until("calls afterwards", () => load.done > done + 200);
  const { failures, disorder } = await load.stop();
  assert.deepEqual(failures, []);
  assert.deepEqual(disorder, []);
}

/** Processes that a daemon has started: the one that is to take over. */
function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")
        .split(" ")
        .filter((text) => text !== "")
        .map(Number),
    );
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was faster.
  }
}

/** What came of an upgrade in which something was killed. */
async function outcomeOf(upgrade: Promise<unknown>): Promise<string> {
  try {
    await upgrade;
    return "";
  } catch (error) {
    return String(error);
  }
}

describe("upgrade of the daemon, with faults", { timeout: suiteMs }, () => {
  const refusals: Record<string, RegExp> = {
    version: /ERR_HANDOVER_VERSION/,
    prepare: /ERR_HANDOVER_LOST.*it ended with 7/,
    state: /ERR_HANDOVER_LOST.*it ended with 7/,
    refuse: /ERR_FAKE.*it does not like this state/,
    restored: /ERR_HANDOVER_LOST/,
  };

  for (const [stage, refusal] of Object.entries(refusals)) {
    it(`goes on without a lost call when the new one gives up at "${stage}"`, async (t) => {
      const { a, b } = await startCluster(t);
      const load = await startLoad(t, { client: a, server: b, inFlight: 128 });
      for (const daemon of [a, b]) {
        writeFileSync(join(daemon.prefix, "stage"), stage);
        await assert.rejects(daemon.upgrade({ program: fake }), refusal);
        assert.equal(daemon.currentPid(), daemon.pid);
      }
      await assertUnharmed(load);
      const answer = await a.upgrade();
      assert.equal(answer.failed, 0);
    });
  }

  it("lets calls end when the new process is killed at any moment", async (t) => {
    for (const ms of killMs) {
      const daemon = await startDaemon(t);
      const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 64 });
      const asked = outcomeOf(daemon.upgrade());
      await pause(ms);
      for (const pid of childrenOf(daemon.pid)) kill(pid);
      const problem = await asked;
      // Whoever was asked has gone on, unless the new one had taken over already.
      if (problem.includes("ERR_HANDOVER_LOST")) await assertUnharmed(load);
      else await load.stop();
      await daemon.stop();
    }
  });

  it("lets calls end, or go on, when the old process is killed at any moment", async (t) => {
    for (const ms of killMs) {
      const daemon = await startDaemon(t);
      const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 64 });
      const asked = outcomeOf(daemon.upgrade());
      await pause(ms);
      kill(daemon.pid);
      await asked;
      await until("the new process serves, or has ended", () => hasSettled(daemon));
      const { failures } = await load.stop();
      const isServed = daemon.currentPid() !== daemon.pid;
      if (isServed) assert.deepEqual(failures, []);
      for (const failure of failures) assert.match(failure, /UNAVAILABLE/);
      await daemon.stop();
    }
  });
});

/** Either the new process has taken over, or there is none any more. */
function hasSettled(daemon: Daemon): boolean {
  if (daemon.currentPid() !== daemon.pid) return true;
  return !readdirSync("/proc").some((entry) => {
    try {
      const line = readFileSync(`/proc/${entry}/cmdline`, "utf8");
      return line.includes(daemon.prefix) && line.includes("--takeover");
    } catch {
      return false;
    }
  });
}

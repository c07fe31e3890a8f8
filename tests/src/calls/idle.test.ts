/** A daemon with apps that do nothing does nothing. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { until } from "@koala/testing";
import { startCluster } from "../stage/cluster.ts";
import { attachHere } from "../stage/faults-pair.ts";
import { depotOf, outcomeOf, serveDepot } from "../stage/faults-service.ts";

const apps = 10;
const idleMs = 5000;
/** 0.1 % of five seconds is half a tick of 10 ms; one may fall in by chance. */
const ticksMax = 1;
/** Keepalive of the link, and the questions for the status. */
const sleepsMax = 20;

/** Processor time of a process, in ticks. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

test("ten idle apps, and a link, cost no processor time", async (t) => {
  const { a, b } = await startCluster(t);
  await serveDepot(await attachHere(t, b, "server"), "server");
  const clients = await Promise.all(
    Array.from({ length: apps - 1 }, async (_, i) => await attachHere(t, b, `idle-${i}`)),
  );
  for (const mesh of clients) {
    const depot = depotOf(mesh, "server");
    await until("a call", async () => (await outcomeOf(depot.echo({}))) === "OK");
  }
  const sleepsOf = async () => {
    const { runtimes } = await b.status();
    return runtimes.reduce((sum, { sleeps }) => sum + sleeps, 0);
  };
  // The garbage of the start is collected some seconds after it, in one or two goes that cost a few ticks.
  // A daemon that is busy with nothing has no five quiet seconds, ever.
  await until(
    `${idleMs} ms with at most ${ticksMax} ticks`,
    async () => {
      const sleeps = await sleepsOf();
      const before = [a, b].map(({ pid }) => ticksOf(pid));
      await setTimeout(idleMs);
      const ticks = [a, b].map(({ pid }, i) => ticksOf(pid) - before[i]!);
      const woken = (await sleepsOf()) - sleeps;
      t.diagnostic(`ticks ${ticks.join(" and ")}, ${woken} wake-ups`);
      assert.ok(woken <= sleepsMax, `${woken} wake-ups`);
      return ticks.every((used) => used <= ticksMax);
    },
    60_000,
  );
});

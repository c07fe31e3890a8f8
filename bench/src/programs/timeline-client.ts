/**
 * Keeps calls of bench.v1.Echo in flight all the time, and says for a while on command when replies came:
 * `timeline-client.js IN_FLIGHT`. Times are milliseconds since 1970, so that the main program can compare them.
 */
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { connect } from "@koala/mrpc";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { endLine } from "../load-command.ts";
import { say } from "../obey-commands.ts";
import type { WatchCommand, Watched } from "../timeline.ts";

const bytes = 32;
const inFlight = Number(process.argv[2]);
const mesh = await connect({ name: "timeline" });
const echo = mesh.client(Echo, "bench");
const payload = new Uint8Array(bytes);

let running = true;
let failed = 0;
let lastReply = 0;
/** What is being watched; undefined between two commands. */
let watched: Watched | undefined;

function now(): number {
  return performance.timeOrigin + performance.now();
}

function note(): void {
  const at = now();
  if (watched !== undefined) {
    const bucket = Math.floor((at - watched.beganMs) / 10);
    watched.callsPer10Ms[bucket] = (watched.callsPer10Ms[bucket] ?? 0) + 1;
    const gap = at - lastReply;
    // What takes less is not worth being listed: thousands of replies come in a burst.
    if (gap > 0.1) watched.gaps.push([lastReply, gap]);
  }
  lastReply = at;
}

async function loop(): Promise<void> {
  while (running) {
    try {
      await echo.echo({ payload });
      note();
    } catch {
      failed++;
    }
  }
}

async function watch({ seconds }: WatchCommand): Promise<Watched> {
  const failedBefore = failed;
  const result: Watched = { beganMs: now(), gaps: [], callsPer10Ms: [], failed: 0 };
  watched = result;
  await setTimeout(seconds * 1000);
  watched = undefined;
  result.failed = failed - failedBefore;
  const buckets = Math.round(seconds * 100);
  for (let i = 0; i < buckets; i++) result.callsPer10Ms[i] ??= 0;
  result.callsPer10Ms.length = buckets; // the timer may have been late
  return result;
}

await echo.echo({ payload }, { timeoutMs: 10_000, waitForReady: true });
const loops = Promise.all(Array.from({ length: inFlight }, loop));
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === endLine) break;
  say(await watch(JSON.parse(line) as WatchCommand));
}
process.stdin.destroy();
running = false;
await loops;
await mesh.close();

/**
 * An app of the ring floors: `floor-ring-app.js client|server` with the region, its own doorbell and the
 * forwarder's as descriptors 3, 4, 5. It sleeps as apps of Koala do: in the event loop, on `uv_poll`.
 */
import { KoalaError } from "@koala/interface";
import { doorbellRing, POLL_IN, watch } from "@koala/native";
import { obeyCommands, say, waitForEnd } from "../load/obey-commands.ts";
import { copySlot, openRingLink } from "./ring-link.ts";
import { createRingLoad } from "./ring-load.ts";

const regionFd = 3;
const ownBell = 4;
const forwarderBell = 5;

const link = openRingLink(regionFd, "app");
const { words, input, output } = link;

/** Takes slots until there are none, answers together, and asks to be woken. */
function drain(take: (slot: number) => void): void {
  do {
    for (let slot = input.next(); slot !== -1; slot = input.next()) take(slot);
    input.release();
    flush();
  } while (!input.sleep());
}

function flush(): void {
  output.publish();
  if (output.takeSleeper()) doorbellRing(forwarderBell);
}

function echo(slot: number): void {
  const target = output.reserve();
  if (target < 0) throw new KoalaError("ERR_BENCH_FLOOR", "the ring to the forwarder is full");
  copySlot(words, slot, words, target);
}

/** Begins to listen; the event loop of a program that is told to end does not wait for it. */
function listen(take: (slot: number) => void): void {
  watch(ownBell, POLL_IN, () => drain(take), { clear: true, ref: false });
  drain(take);
}

if (process.argv[2] === "server") {
  listen(echo);
  say({ ready: true });
  await waitForEnd();
} else {
  const load = createRingLoad(link, flush);
  listen(load.take);
  await obeyCommands(load.runRound);
}

/** The load on a ring floor: slots there and back, a new one for each that comes. */
import { KoalaError } from "@koala/interface";
import type { Samples } from "../figures/samples.ts";
import type { Round } from "../load/load-command.ts";
import type { RunRound } from "../load/obey-commands.ts";
import type { RingLink } from "./ring-link.ts";
import { slotWords } from "./ring-link.ts";

export interface RingLoad {
  /** Takes a slot that came back. */
  readonly take: (slot: number) => void;
  readonly runRound: RunRound;
}

/** Makes the load; `flush` publishes what was put into the ring. */
export function createRingLoad({ words, output }: RingLink, flush: () => void): RingLoad {
  let samples: Samples | undefined;
  let calls = 0;
  let outstanding = 0;
  let start = 0;
  let sentAt = 0;
  let endAt = 0;
  let elapsed = 0;
  let settle: (round: Round) => void = () => {};

  /** The lane of a slot is its first word; lane 0 looks at the clock. */
  const send = (lane: number): void => {
    const target = output.reserve();
    if (target < 0) throw new KoalaError("ERR_BENCH_FLOOR", "the ring to the forwarder is full");
    words[target] = lane;
    for (let i = 1; i < slotWords; i++) words[target + i] = lane;
    outstanding++;
  };

  const take = (slot: number): void => {
    const lane = words[slot]!;
    outstanding--;
    if (elapsed === 0) calls++;
    if (lane === 0) {
      const now = performance.now();
      samples?.add((now - sentAt) * 1000);
      sentAt = now;
      if (now >= endAt && elapsed === 0) elapsed = now - start;
    }
    if (elapsed === 0) send(lane);
    else if (outstanding === 0) settle({ calls, seconds: elapsed / 1000 });
  };

  const runRound: RunRound = ({ inFlight, seconds }, into) =>
    new Promise((resolve) => {
      samples = into;
      settle = resolve;
      calls = 0;
      elapsed = 0;
      start = performance.now();
      sentAt = start;
      endAt = start + seconds * 1000;
      for (let lane = 0; lane < inFlight; lane++) send(lane);
      flush();
    });

  return { take, runRound };
}

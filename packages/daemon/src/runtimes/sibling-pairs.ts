/** The queues between runtimes, one pair of ends for every two. */
import { createMemoryPair } from "@koala/transport-memory";
import type { SiblingEnd } from "../link/siblings.ts";

/** Connects two runtimes: the end of the first, and of the second. */
export function connectSiblings(first: number, second: number): [SiblingEnd, SiblingEnd] {
  const remoteOfA = `runtime ${second}`;
  const remoteOfB = `runtime ${first}`;
  const { a, b } = createMemoryPair({ remoteOfA, remoteOfB });
  return [
    { runtime: second, end: a },
    { runtime: first, end: b },
  ];
}

/** Connects every two of so many: by runtime, its ends of the queues to the others. */
export function connectAllSiblings(count: number): SiblingEnd[][] {
  const ends: SiblingEnd[][] = Array.from({ length: count }, () => []);
  for (let first = 0; first < count; first++) {
    for (let second = first + 1; second < count; second++) {
      const [a, b] = connectSiblings(first, second);
      ends[first]!.push(a);
      ends[second]!.push(b);
    }
  }
  return ends;
}

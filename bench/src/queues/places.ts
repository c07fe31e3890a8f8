/** Which processors the threads of a pair are tied to. */
import type { Processor } from "@koala/runtime";

/** `one`: both on one processor; `core`: on two cores; `smt`: on two threads of a core; `numa`: on two nodes. */
export const affinities = ["none", "one", "core", "smt", "numa"] as const;
export type Affinity = (typeof affinities)[number];

type Pair = readonly [readonly number[], readonly number[]];

/** The places of so many pairs on these processors, or why there are none, as a sentence. */
export function placesOf(
  affinity: Affinity,
  pairs: number,
  processors: readonly Processor[],
): Pair[] | string {
  const all = Array.from({ length: pairs }, (_, i) => i);
  if (affinity === "none") return all.map(() => [[], []]);
  if (processors.length === 0) return "the kernel does not say which processors there are";
  const at = (i: number): number => processors[i % processors.length]!.id;
  if (affinity === "one") return all.map((i) => [[at(i)], [at(i)]]);
  const fits = (a: Processor, b: Processor): boolean =>
    affinity === "numa"
      ? a.node !== b.node
      : affinity === "smt"
        ? a.id !== b.id && a.core === b.core
        : a.core !== b.core;
  const found = processors.flatMap((a) => processors.filter((b) => fits(a, b)).map((b) => [a, b]));
  if (found.length === 0) {
    return {
      core: "this machine has one core",
      smt: "no two processors of this machine are threads of one core, or the kernel does not say so",
      numa: "this machine has one NUMA node",
    }[affinity];
  }
  return all.map((i) => {
    const [a, b] = found[i % found.length]!;
    return [[a!.id], [b!.id]];
  });
}

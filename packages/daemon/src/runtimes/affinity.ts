/**
 * Which processors the thread of a runtime is tied to.
 *
 * - `core`: a processor of its own, on another core as long as there are some left.
 * - `smt`: a processor of its own, with the hardware threads of a core taken together: runtimes 0 and 1
 *   are siblings, and so on. They talk to each other through the core's own caches.
 * - `numa`: all processors of a node, a node after the other.
 *
 * With more runtimes than places, several share one.
 */
import type { RuntimeAffinity } from "@koala/protocol";
import type { Processor } from "@koala/runtime";

/** The processors of runtime `index`; empty: any. */
export function processorsFor(
  affinity: RuntimeAffinity,
  topology: readonly Processor[],
  index: number,
): number[] {
  const places = placesOf(affinity, topology);
  return places.length === 0 ? [] : places[index % places.length]!;
}

/** What this machine can't give, as sentences for operators. */
export function affinityNotes(
  affinity: RuntimeAffinity,
  topology: readonly Processor[],
  runtimes: number,
): string[] {
  if (affinity === "none") return [];
  if (topology.length === 0) {
    return [
      `affinity = "${affinity}" has no effect: the kernel does not say which processors there are`,
    ];
  }
  const notes: string[] = [];
  const places = placesOf(affinity, topology).length;
  if (affinity === "smt" && groupsOf(topology, ({ core }) => core).length === topology.length) {
    notes.push(
      'affinity = "smt" is as "core" here: no two processors of this machine share a core, or they are not told apart',
    );
  }
  if (affinity === "numa" && places === 1) {
    notes.push('affinity = "numa" has no effect here: there is one NUMA node');
  }
  if (affinity !== "numa" && runtimes > places) {
    notes.push(
      `${runtimes} runtimes share ${places} processors: affinity = "none" may serve them better`,
    );
  }
  return notes;
}

/** Where runtimes can go, in the order in which they are given out. */
function placesOf(affinity: RuntimeAffinity, topology: readonly Processor[]): number[][] {
  switch (affinity) {
    case "none":
      return [];
    case "numa":
      return groupsOf(topology, ({ node }) => node);
    case "smt":
      return groupsOf(topology, ({ core }) => core).flatMap((core) => core.map((id) => [id]));
    case "core": {
      const cores = groupsOf(topology, ({ core }) => core);
      const threads = Math.max(0, ...cores.map((core) => core.length));
      // First one of each core, then the second ones.
      return Array.from({ length: threads }, (_, turn) => turn).flatMap((turn) =>
        cores.flatMap((core) => (core[turn] === undefined ? [] : [[core[turn]]])),
      );
    }
  }
}

function groupsOf(
  topology: readonly Processor[],
  keyOf: (processor: Processor) => number,
): number[][] {
  const groups = new Map<number, number[]>();
  for (const processor of topology) {
    const key = keyOf(processor);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [processor.id]);
    else group.push(processor.id);
  }
  return [...groups.values()];
}

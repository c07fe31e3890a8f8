/** Which processors the threads of a pair are tied to. */
import { readdirSync, readFileSync } from "node:fs";

/** `one`: both on one processor; `core`: on two cores; `smt`: on two threads of a core; `numa`: on two nodes. */
export const affinities = ["none", "one", "core", "smt", "numa"] as const;
export type Affinity = (typeof affinities)[number];

/** The processors that this process may use, by what they share. */
export interface Machine {
  readonly processors: readonly number[];
  /** The smallest processor of the same core. */
  readonly coreOf: (processor: number) => number;
  readonly nodeOf: (processor: number) => number;
}

type Pair = readonly [readonly number[], readonly number[]];

/** The places of so many pairs, or why there are none, as a sentence. */
export function placesOf(affinity: Affinity, pairs: number, machine: Machine): Pair[] | string {
  const { processors, coreOf, nodeOf } = machine;
  const all = Array.from({ length: pairs }, (_, i) => i);
  if (affinity === "none") return all.map(() => [[], []]);
  if (processors.length === 0) return "the kernel does not say which processors there are";
  const at = (i: number): number => processors[i % processors.length]!;
  if (affinity === "one") return all.map((i) => [[at(i)], [at(i)]]);
  const fits = (a: number, b: number): boolean =>
    affinity === "numa"
      ? nodeOf(a) !== nodeOf(b)
      : affinity === "smt"
        ? a !== b && coreOf(a) === coreOf(b)
        : coreOf(a) !== coreOf(b);
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
    return [[a!], [b!]];
  });
}

/** Reads it from the kernel. What it does not say is taken to be simple: every processor a core, one node. */
export function readMachine(): Machine {
  const status = read("/proc/self/status");
  const processors = parseList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "");
  const nodes = new Map<number, number>();
  for (const name of list("/sys/devices/system/node")) {
    const node = /^node(\d+)$/.exec(name)?.[1];
    if (node === undefined) continue;
    const cpus = parseList(read(`/sys/devices/system/node/${name}/cpulist`));
    for (const cpu of cpus) nodes.set(cpu, Number(node));
  }
  const cores = new Map(
    processors.map((cpu) => {
      const path = `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`;
      return [cpu, parseList(read(path))[0] ?? cpu];
    }),
  );
  return {
    processors,
    coreOf: (cpu) => cores.get(cpu) ?? cpu,
    nodeOf: (cpu) => nodes.get(cpu) ?? 0,
  };
}

/** `"0-3,8"` as numbers. */
function parseList(text: string): number[] {
  return text
    .trim()
    .split(",")
    .flatMap((part) => {
      const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
      if (first === undefined) return [];
      const from = Number(first);
      return Array.from({ length: Number(last ?? first) - from + 1 }, (_, i) => from + i);
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

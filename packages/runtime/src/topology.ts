/** The processors of the machine: which share a core, and which belong to which memory. */
import { readdirSync, readFileSync } from "node:fs";

/** One processor that this process may use. */
export interface Processor {
  readonly id: number;
  /** Smallest processor of its core: the same for hyper-thread siblings. */
  readonly core: number;
  /** NUMA node. */
  readonly node: number;
}

/** Where the kernel says it; other folders are for tests. */
export interface TopologyPlaces {
  /** Has `cpuN/topology`. */
  cpus: string;
  /** Has `nodeN/cpulist`. */
  nodes: string;
  /** Names the processors that this process may use. */
  status: string;
}

const placesDefault: TopologyPlaces = {
  cpus: "/sys/devices/system/cpu",
  nodes: "/sys/devices/system/node",
  status: "/proc/self/status",
};

/**
 * The processors that this process may use, in order of their ids. What the kernel does not say is taken
 * to be simple: every processor a core, one node.
 */
export function readTopology(places: TopologyPlaces = placesDefault): Processor[] {
  const status = read(places.status);
  const allowed = parseCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "");
  const nodes = nodesOf(places.nodes);
  return allowed.map((id) => {
    const siblings = parseCpuList(read(`${places.cpus}/cpu${id}/topology/thread_siblings_list`));
    return { id, core: siblings[0] ?? id, node: nodes.get(id) ?? 0 };
  });
}

/** `"0-3,8"` as numbers, in order; nothing for what is no such list. */
export function parseCpuList(text: string): number[] {
  const found = new Set<number>();
  for (const part of text.trim().split(",")) {
    const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (first === undefined) continue;
    for (let cpu = Number(first); cpu <= Number(last ?? first); cpu++) found.add(cpu);
  }
  return [...found].sort((a, b) => a - b);
}

function nodesOf(folder: string): Map<number, number> {
  const nodes = new Map<number, number>();
  for (const name of list(folder)) {
    const node = /^node(\d+)$/.exec(name)?.[1];
    if (node === undefined) continue;
    for (const cpu of parseCpuList(read(`${folder}/${name}/cpulist`))) nodes.set(cpu, Number(node));
  }
  return nodes;
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
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

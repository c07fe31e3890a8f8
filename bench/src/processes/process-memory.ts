/** What processes cost the machine, from procfs. */
import { readdirSync, readFileSync } from "node:fs";

/** One process. */
export interface ProcessMemory {
  readonly rssBytes: number;
  /** With a share of what it has in common with others, so that sums over processes are right. */
  readonly pssBytes: number;
  readonly descriptors: number;
  readonly mappings: number;
}

/** Reads what a process has now. */
export function memoryOf(pid: number): ProcessMemory {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  return {
    rssBytes: kilobytes(rollup, "Rss"),
    pssBytes: kilobytes(rollup, "Pss"),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mappings: read(`/proc/${pid}/maps`).split("\n").length - 1,
  };
}

/**
 * What the kernel needs for files, sockets and page tables, of the whole machine: differences say something
 * when little else runs.
 */
export function kernelBytes(): number {
  const all = read("/proc/meminfo");
  return kilobytes(all, "SUnreclaim") + kilobytes(all, "PageTables") + kilobytes(all, "Percpu");
}

/** Descriptors that a process may have; Infinity without a limit. */
export function descriptorsMaxOf(pid: number): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(read(`/proc/${pid}/limits`)) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

function kilobytes(text: string, key: string): number {
  const [, value = "0"] = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text) ?? [];
  return Number(value) * 1024;
}

function read(path: string): string {
  return readFileSync(path, "latin1");
}

/**
 * How many apps the process has room for: each costs descriptors and mappings, and the kernel has a limit for
 * both. Node raises the soft limit of open files to the hard one before any of this runs.
 */
import { readdirSync, readFileSync } from "node:fs";
import { descriptorsPerApp, mappingsPerApp } from "@koala/protocol";
import type { AreaLog } from "../log/index.ts";

/** Kept for regions that heaps grow by, links, files: apps are refused before the last descriptors are gone. */
export const spareDescriptors = 128;
/** Kept for the heap of JavaScript and for regions that heaps grow by. */
const spareMappings = 4096;

/** What the kernel allows this process, and what it has already; Infinity where there is no limit. */
export interface ProcessRoom {
  readonly openFilesMax: number;
  readonly openFiles: number;
  readonly mappingsMax: number;
  readonly mappings: number;
}

/** Why fewer apps fit than are configured. */
export interface Shortage {
  readonly what: "open files" | "mappings";
  /** Apps that fit beside what is open already. */
  readonly fit: number;
  /** What the limit has to be for all of them. */
  readonly needed: number;
  readonly advice: string;
}

/** Asks the kernel. What can't be read counts as no limit. */
export function readProcessRoom(): ProcessRoom {
  const [, soft] = /^Max open files\s+(\S+)/m.exec(read("/proc/self/limits")) ?? [];
  return {
    openFilesMax: limitOf(soft),
    openFiles: readdirSync("/proc/self/fd").length,
    mappingsMax: limitOf(read("/proc/sys/vm/max_map_count").trim()),
    mappings: read("/proc/self/maps").split("\n").length,
  };
}

/** What stands in the way of so many apps, worst first; empty when all of them fit. */
export function shortagesOf(room: ProcessRoom, apps: number): Shortage[] {
  const { openFiles, openFilesMax, mappings, mappingsMax } = room;
  const files = check(openFilesMax, openFiles + spareDescriptors, descriptorsPerApp, apps);
  const maps = check(mappingsMax, mappings + spareMappings, mappingsPerApp, apps);
  const shortages: Shortage[] = [];
  if (files !== null) {
    const advice = `LimitNOFILE=${files.needed} in the unit of systemd, or ulimit -n ${files.needed}`;
    shortages.push({ what: "open files", ...files, advice });
  }
  if (maps !== null) {
    shortages.push({ what: "mappings", ...maps, advice: `sysctl vm.max_map_count=${maps.needed}` });
  }
  return shortages.sort((one, other) => one.fit - other.fit);
}

/** Says at the start how many apps fit, and what to do when that is fewer than `apps`. */
export function reportRoom(log: AreaLog, room: ProcessRoom, apps: number): void {
  const shortages = shortagesOf(room, apps);
  const { openFilesMax, mappingsMax } = room;
  if (shortages.length === 0) {
    log.info("room for all apps", { apps, openFiles: openFilesMax, mappings: mappingsMax });
  }
  for (const { what, fit, advice } of shortages) {
    log.warn("room for fewer apps than configured", { apps, fit, limit: what, advice });
  }
}

function check(
  max: number,
  base: number,
  perApp: number,
  apps: number,
): Pick<Shortage, "fit" | "needed"> | null {
  const fit = Math.max(0, Math.floor((max - base) / perApp));
  return fit >= apps ? null : { fit, needed: base + apps * perApp };
}

/** `unlimited`, and what is no number, is no limit. */
function limitOf(text: string | undefined): number {
  const value = Number.parseInt(text ?? "", 10);
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // No procfs: then there is nothing to go by, and the limits show when they are reached.
    return "";
  }
}

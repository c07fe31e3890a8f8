/** What the control group of this process may use, of version 1 or 2; an absent limit is undefined. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Limits of a control group. */
export interface CgroupLimits {
  /** Processors, as a quota: 0.5 is half of one. */
  readonly cpus?: number;
  readonly memoryBytes?: number;
}

/** Reads a file's text; undefined when it can't be had. */
export type ReadText = (path: string) => string | undefined;

interface Mount {
  readonly path: string;
  /** Path within the hierarchy that is mounted. */
  readonly root: string;
  readonly isVersion2: boolean;
  readonly options: readonly string[];
}

/** Beyond this a limit of version 1 means that there is none. */
const unlimitedBytes = 2 ** 60;

/** The narrowest limits on the way from this process's group to the root. */
export function readCgroupLimits(read: ReadText = readIfThere): CgroupLimits {
  const mounts = mountsOf(read("/proc/self/mountinfo") ?? "");
  const groups = (read("/proc/self/cgroup") ?? "").split("\n");
  let cpus = Number.POSITIVE_INFINITY;
  let memoryBytes = Number.POSITIVE_INFINITY;
  for (const line of groups) {
    const [id, controllers, ...rest] = line.split(":");
    const path = rest.join(":");
    if (controllers === undefined || path === "") continue;
    const names = controllers.split(",");
    const isVersion2 = id === "0" && controllers === "";
    for (const mount of mounts) {
      if (mount.isVersion2 !== isVersion2) continue;
      if (!isVersion2 && !names.some((name) => mount.options.includes(name))) continue;
      for (const folder of foldersUpwards(mount, path)) {
        cpus = Math.min(cpus, isVersion2 ? quota2(read, folder) : quota1(read, folder));
        memoryBytes = Math.min(memoryBytes, memoryOf(read, folder));
      }
    }
  }
  return {
    ...(Number.isFinite(cpus) ? { cpus } : {}),
    ...(memoryBytes < unlimitedBytes ? { memoryBytes } : {}),
  };
}

function mountsOf(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, path] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (root === undefined || path === undefined) return [];
    if (type !== "cgroup" && type !== "cgroup2") return [];
    return [{ path, root, isVersion2: type === "cgroup2", options: options.split(",") }];
  });
}

/** Folders of a group and of those around it. In a container, the mount may begin below the group's path. */
function foldersUpwards(mount: Mount, path: string): string[] {
  const below = path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
  const parts = below.split("/").filter((part) => part !== "" && part !== "..");
  return Array.from({ length: parts.length + 1 }, (_, count) =>
    join(mount.path, ...parts.slice(0, count)),
  );
}

function quota2(read: ReadText, folder: string): number {
  const [quota, period] = (read(join(folder, "cpu.max")) ?? "max").trim().split(" ");
  return quota === "max" ? Number.POSITIVE_INFINITY : Number(quota) / Number(period);
}

function quota1(read: ReadText, folder: string): number {
  const quota = Number(read(join(folder, "cpu.cfs_quota_us")) ?? "-1");
  const period = Number(read(join(folder, "cpu.cfs_period_us")) ?? "0");
  return quota > 0 && period > 0 ? quota / period : Number.POSITIVE_INFINITY;
}

function memoryOf(read: ReadText, folder: string): number {
  const text = read(join(folder, "memory.max")) ?? read(join(folder, "memory.limit_in_bytes"));
  const bytes = Number((text ?? "max").trim());
  return Number.isNaN(bytes) ? Number.POSITIVE_INFINITY : bytes;
}

/** The text of a file; undefined when it can't be read. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

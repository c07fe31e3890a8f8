/** Whether the limits of the machine leave room for what is to run on it. */
import { availableParallelism, totalmem } from "node:os";
import { descriptorsPerApp, mappingsPerApp } from "@koala/protocol";
import { formatBytes } from "../quantity.ts";
import { type CgroupLimits, readCgroupLimits, readIfThere } from "./cgroup.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** What `doctor` looks at, apart from how many apps are configured. */
export interface MachineLimits {
  /** Open files that a daemon may have. Node raises the soft limit to the hard one when it starts. */
  readonly openFiles: number;
  /** Mappings that a process may have. */
  readonly mappings: number;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly cgroup: CgroupLimits;
}

/** What Koala is built to serve on one host. */
const appsAtBest = 10_000;
/** The daemon itself: its threads, modules and links, and some for regions that heaps grow by. */
const ownDescriptors = 512;
const ownMappings = 4608;
const memoryMin = 512 * 1024 ** 2;

/** The limits of a process: of the daemon where there is one, else of this process. */
export function readMachineLimits(pid: number | "self"): MachineLimits {
  const limits = readIfThere(`/proc/${pid}/limits`) ?? readIfThere("/proc/self/limits") ?? "";
  const [, , hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  const mappings = Number(readIfThere("/proc/sys/vm/max_map_count") ?? "");
  return {
    openFiles: numberOf(hard),
    mappings: mappings > 0 ? mappings : Number.POSITIVE_INFINITY,
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    cgroup: readCgroupLimits(),
  };
}

/** `unlimited`, and what can't be read, is no limit. */
function numberOf(text: string | undefined): number {
  const value = Number(text);
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

/** Checks them for so many apps as `limits.apps` of the configuration allows. */
export function checkLimits(limits: MachineLimits, apps: number): Finding[] {
  return [
    checkRoom({
      check: "open files",
      has: limits.openFiles,
      own: ownDescriptors,
      perApp: descriptorsPerApp,
      apps,
      raise: (count) => `ulimit -Hn ${count}, or LimitNOFILE=${count} in the unit of systemd`,
    }),
    checkRoom({
      check: "mappings",
      has: limits.mappings,
      own: ownMappings,
      perApp: mappingsPerApp,
      apps,
      raise: (count) => `sysctl -w vm.max_map_count=${count}`,
    }),
    checkProcessors(limits),
    checkMemory(limits),
  ];
}

interface Room {
  check: string;
  has: number;
  /** What the daemon needs without any app. */
  own: number;
  perApp: number;
  apps: number;
  /** How to get more. */
  raise: (count: number) => string;
}

function checkRoom({ check, has, own, perApp, apps, raise }: Room): Finding {
  const most = Math.max(apps, appsAtBest);
  const neededFor = (count: number): number => own + count * perApp;
  const text = Number.isFinite(has) ? String(has) : "no limit";
  if (has >= neededFor(most)) return ok(check, `${text}, enough for ${most} apps`);
  const room = Math.floor((has - own) / perApp);
  if (room < 1) {
    const little = `${text}, and the daemon alone may need ${own}`;
    return problem(check, little, raise(neededFor(apps)));
  }
  if (room < apps) {
    const less = `${text}, enough for about ${room} apps; the configuration allows ${apps} (limits.apps)`;
    return warning(check, less, raise(neededFor(apps)));
  }
  const enough = `${text}, enough for ${apps} apps`;
  return warning(check, enough, `for ${most} apps: ${raise(neededFor(most))}`);
}

function checkProcessors({ processors, cgroup }: MachineLimits): Finding {
  const { cpus } = cgroup;
  const text = cpus === undefined ? `${processors}` : `${processors}, limited to ${cpus}`;
  const usable = Math.min(processors, cpus ?? processors);
  if (usable >= 2) return ok("processors", text);
  const fix =
    processors < 2
      ? "give the machine a second processor: daemon and app take turns on one"
      : "raise the CPU limit of the control group to 2: what runs into it stands still for a while";
  return warning("processors", text, fix);
}

function checkMemory({ memoryBytes, cgroup }: MachineLimits): Finding {
  const limit = cgroup.memoryBytes ?? memoryBytes;
  const text =
    limit < memoryBytes
      ? `${formatBytes(memoryBytes)}, limited to ${formatBytes(limit)}`
      : formatBytes(memoryBytes);
  if (limit >= memoryMin) return ok("memory", text);
  const fix = `give it ${formatBytes(memoryMin)} or more, or set smaller heaps in [limits]`;
  return warning("memory", text, fix);
}

/** As many runtimes as a daemon may come to have: memory that instances share is made for these. */
import type { Config } from "../config/index.ts";

/** Depends on the configuration alone, so that a daemon that takes over makes memory of the same size. */
export function runtimesMaxOf({ daemon, runtime, placements }: Config): number {
  const makesMore =
    runtime.mode === "dedicated" ||
    placements.some((placement) => placement.runtime === "dedicated");
  return makesMore ? Math.max(daemon.runtimes, runtime.runtimesMax) : daemon.runtimes;
}

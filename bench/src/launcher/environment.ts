/** Where a run takes place. */
import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import type { EnvironmentLine } from "./result-line.ts";

/** Looks around; `folder` is somewhere in the repository. */
export function readEnvironment(
  folder: string,
  quick: boolean,
  peers: Readonly<Record<string, string>>,
): EnvironmentLine {
  const date = new Date();
  const commit = git(folder, "rev-parse", "--short", "HEAD") ?? "unknown";
  const processors = cpus();
  return {
    environment: {
      run: `${stampOf(date)}-${commit}`,
      date: date.toISOString(),
      commit,
      isModified: git(folder, "status", "--porcelain", "--untracked-files=no") !== "",
      quick,
      node: process.versions.node,
      kernel: release(),
      processor: processors[0]?.model.trim() ?? "unknown",
      processors: processors.length,
      memoryBytes: totalmem(),
      load: loadavg()[0] ?? 0,
      peers,
    },
  };
}

/** `20261123-213000`, of UTC. */
function stampOf(date: Date): string {
  const [day = "", time = ""] = date.toISOString().split(/[T.]/);
  return `${day.replaceAll("-", "")}-${time.replaceAll(":", "")}`;
}

/** What git answers; undefined where there is no git or no repository. */
function git(folder: string, ...args: string[]): string | undefined {
  try {
    const output = execFileSync("git", args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
    return output.toString().trim();
  } catch {
    return undefined;
  }
}

/** What a process has open and mapped, read from /proc; for tests that nothing leaks. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What each open descriptor of a process points to: a path, `socket:[…]`, `/memfd:NAME (deleted)`, … */
export function openDescriptors(pid: number = process.pid): string[] {
  const folder = `/proc/${pid}/fd`;
  const targets: string[] = [];
  for (const fd of readdirSync(folder)) {
    try {
      targets.push(readlinkSync(`${folder}/${fd}`));
    } catch {
      // The descriptor that read the folder itself is closed by now.
    }
  }
  return targets;
}

/** How many descriptors a process has open, all or those whose target matches. */
export function countDescriptors(pid: number = process.pid, target: RegExp = /./): number {
  return openDescriptors(pid).filter((found) => target.test(found)).length;
}

/** How many memfds a process has open. */
export function countMemfds(pid: number = process.pid): number {
  return countDescriptors(pid, /^\/memfd:/);
}

/** How many mappings of a process have a path that matches, memfds unless said otherwise. */
export function countMappings(
  pid: number = process.pid,
  path: RegExp = /\/memfd:(?!doublemapper)/,
): number {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.filter((line) => path.test(line)).length;
}

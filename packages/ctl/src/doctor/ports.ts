/** TCP ports: whether one is free, and who holds it. */
import { readdirSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { readIfThere } from "./cgroup.ts";

/** The state of a socket that listens, as the kernel's tables have it. */
const listening = "0A";

/** Takes the port for a moment; undefined when that worked, else the code of the error. */
export function tryPort(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** True when the process listens at the port; false also when this user may not look. */
export function isListener(pid: number, port: number): boolean {
  const inodes = inodesAt(port);
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => inodes.has(targetOf(`${folder}/${fd}`)));
  } catch {
    return false;
  }
}

/** A descriptor may be closed while the folder is read. */
function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** `socket:[4711]` of all that listen at the port. */
function inodesAt(port: number): Set<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readIfThere(path) ?? "");
  const rows = tables.flatMap((table) => table.split("\n").map((row) => row.trim().split(/\s+/)));
  const held = rows.filter((cells) => cells[1]?.endsWith(`:${hex}`) && cells[3] === listening);
  return new Set(held.map((cells) => `socket:[${cells[9]}]`));
}

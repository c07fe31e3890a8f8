/** `<prefix>/koalad.pid`: who serves the folder now, for supervisors and for people. */
import { readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const PID_FILE = "koalad.pid";

/** Says that this process serves the folder; readers find the old number or the new one, never a half. */
export function writePidFile(prefix: string): void {
  const path = join(prefix, PID_FILE);
  const next = `${path}.${process.pid}`;
  writeFileSync(next, `${process.pid}\n`, { mode: 0o644 });
  renameSync(next, path);
}

/** Removes the file, unless another process has taken the folder over. */
export function removePidFile(prefix: string): void {
  const path = join(prefix, PID_FILE);
  try {
    if (readFileSync(path, "utf8").trim() === String(process.pid)) unlinkSync(path);
  } catch {
    // It is gone already, as is the folder perhaps.
  }
}

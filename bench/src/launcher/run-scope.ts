/**
 * What belongs to one run: a folder for all temporary files, a name in the environment of all processes, and
 * the guard, which sees to both if this process can't.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { endRun, runVariable } from "./run-processes.ts";

export class RunScope {
  private readonly name: string;
  private readonly folder: string;
  private readonly guard: ChildProcess;

  private constructor(name: string, folder: string, guard: ChildProcess) {
    this.name = name;
    this.folder = folder;
    this.guard = guard;
  }

  /** Opens it; from now on this process's temporary files and children are the run's. */
  static async open(): Promise<RunScope> {
    const folder = mkdtempSync(join(tmpdir(), "koala-eval-"));
    const name = basename(folder);
    const path = fileURLToPath(new URL("guard.js", import.meta.url));
    // Before the variable is set: the guard is not one of those that it ends.
    const guard = spawn(process.execPath, [path, name, folder], {
      detached: true,
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(guard.stdout!, "data");
    process.env[runVariable] = name;
    process.env["TMPDIR"] = folder;
    return new RunScope(name, folder, guard);
  }

  /** Ends what is left, and resolves to how many processes that were. */
  async close(): Promise<number> {
    const left = await endRun(this.name);
    rmSync(this.folder, { recursive: true, force: true });
    this.guard.stdin!.end();
    await once(this.guard, "exit");
    return left;
  }
}

/** What systems are started on: a folder, and programs that are ended in the opposite order. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KoalaError } from "@koala/interface";
import { closeFd } from "@koala/native";
import { Program, type ProgramOptions } from "./program.ts";

export class Stage {
  private readonly root: string = mkdtempSync(join(tmpdir(), "koala-bench-"));
  /** Under which each program gets a folder for its profiles. */
  private readonly profiles: string | undefined;
  private readonly programs: Program[] = [];
  private readonly daemons = new Set<Program>();
  private readonly fds: number[] = [];
  private readonly endings: (() => Promise<void>)[] = [];
  private closing: Promise<void> | undefined;

  constructor(profiles?: string) {
    this.profiles = profiles;
  }

  /** A new folder; the name gets a number when there is one already. */
  folder(name: string): string {
    for (let number = 1; ; number++) {
      const path = join(this.root, number === 1 ? name : `${name}-${number}`);
      if (existsSync(path)) continue;
      mkdirSync(path);
      return path;
    }
  }

  /** Closes the descriptor at the end. */
  own(fd: number): number {
    this.fds.push(fd);
    return fd;
  }

  /** Has something done when all apps have ended, before the daemons do. */
  beforeClose(ending: () => Promise<void>): void {
    this.endings.push(ending);
  }

  /** Starts a compiled program of `programs/`. */
  start(file: string, options: Omit<ProgramOptions, "path">): Program {
    const path = fileURLToPath(new URL(`../programs/${file}`, import.meta.url));
    return this.add({ ...options, path });
  }

  /** Starts a program that ends on SIGTERM. */
  startDaemon(options: ProgramOptions): Program {
    const program = this.add(options);
    this.daemons.add(program);
    return program;
  }

  /** Starts any program: one that ends when it is told, or a daemon. */
  startWorker(options: ProgramOptions, obeys: boolean): Program {
    return obeys ? this.add(options) : this.startDaemon(options);
  }

  /** The last lines of every program, for when something failed. */
  tails(): string {
    return this.programs.map((program) => `--- ${program.name} ---\n${program.tail()}\n`).join("");
  }

  /** Ends everything that was started, and removes the folder. Safe to call twice. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce(true);
    return this.closing;
  }

  /** The same without asking: programs that are in the middle of a round would not listen. */
  abort(): Promise<void> {
    this.closing ??= this.closeOnce(false);
    return this.closing;
  }

  private add(options: ProgramOptions): Program {
    if (this.closing !== undefined) {
      throw new KoalaError("ERR_BENCH_STOPPED", "the benchmark is being stopped");
    }
    const profileFolder =
      this.profiles === undefined
        ? undefined
        : join(this.profiles, options.name.replaceAll(/\W+/g, "-"));
    const program = new Program({ ...options, profileFolder });
    this.programs.push(program);
    return program;
  }

  private async closeOnce(politely: boolean): Promise<void> {
    const programs = this.programs.toReversed();
    for (const program of programs.filter((each) => !this.daemons.has(each))) {
      await (politely ? program.end() : program.stop());
    }
    for (const ending of this.endings) await ending();
    for (const program of programs.filter((each) => this.daemons.has(each))) await program.stop();
    this.fds.forEach(closeFd);
    rmSync(this.root, { recursive: true, force: true });
  }
}

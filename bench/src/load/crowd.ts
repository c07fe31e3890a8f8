/** A few processes that have many connections together, spread evenly. */

import { memoryOf } from "../processes/process-memory.ts";
import type { Program, ProgramOptions } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import type { RunningSystem } from "../systems/system.ts";
import type { CrowdCommand } from "./obey-crowd.ts";

const orderDeadlineMs = 120_000;

/** Which program has many connections where another makes calls. */
const programs: Readonly<Record<string, string>> = {
  "koala-client.js": "memory-app.js",
  "grpc-client.js": "grpc-crowd.js",
};

export class Crowd {
  readonly programs: readonly Program[];

  private constructor(programs: readonly Program[]) {
    this.programs = programs;
  }

  /** Starts so many processes of a program. */
  static async start(
    stage: Stage,
    program: string,
    processes: number,
    options: Omit<ProgramOptions, "path">,
  ): Promise<Crowd> {
    const started: Program[] = [];
    for (let i = 0; i < processes; i++) {
      const app = stage.start(program, { ...options, name: `${options.name} ${i}` });
      await app.ready();
      started.push(app);
    }
    return new Crowd(started);
  }

  /** One whose connections go where those of a system's client go; undefined when there is no program for that. */
  static async beside(
    stage: Stage,
    name: string,
    { clientStart }: RunningSystem,
    processes: number,
  ): Promise<Crowd | undefined> {
    const program = clientStart === undefined ? undefined : programs[clientStart.program];
    if (program === undefined) return undefined;
    const { args, env } = clientStart!;
    return Crowd.start(stage, program, processes, { name: `${name} crowd`, args, env });
  }

  /** Has so many connections in all; how long making them took, in milliseconds. */
  attach(total: number): Promise<number> {
    return this.oneByOne((index) => ({ op: "attach", count: this.share(total, index) }));
  }

  /** A call on each. */
  async call(): Promise<void> {
    await this.oneByOne(() => ({ op: "call" }));
  }

  /** So many of them make so many calls a second each, until `idle`. */
  async busy(total: number, callsPerSecond: number): Promise<void> {
    await this.oneByOne((index) => ({
      op: "busy",
      count: this.share(total, index),
      callsPerSecond,
    }));
  }

  async idle(): Promise<void> {
    await this.oneByOne(() => ({ op: "idle" }));
  }

  async leave(): Promise<void> {
    await this.oneByOne(() => ({ op: "leave" }));
  }

  pssBytes(): number {
    return this.programs.reduce((total, { pid }) => total + memoryOf(pid).pssBytes, 0);
  }

  private share(total: number, index: number): number {
    const { length } = this.programs;
    return Math.floor(total / length) + (index < total % length ? 1 : 0);
  }

  private async oneByOne(command: (index: number) => CrowdCommand): Promise<number> {
    let tookMs = 0;
    for (const [index, program] of this.programs.entries()) {
      const answer = await program.ask(command(index), orderDeadlineMs);
      tookMs += (answer as { tookMs: number }).tookMs;
    }
    return tookMs;
  }
}

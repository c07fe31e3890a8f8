/** What a system's processes use while something runs. */

import { sum } from "../figures/statistics.ts";
import type { ProcessFigures, Role } from "../launcher/result-line.ts";
import { cpuSeconds } from "../processes/cpu-time.ts";
import { memoryOf } from "../processes/process-memory.ts";
import type { Program } from "../processes/program.ts";
import type { RunningSystem } from "../systems/system.ts";

interface Part {
  readonly program: Program;
  readonly role: Role;
}

/** Adds up processor time over turns, process by process. */
export class ProcessUsage {
  private readonly parts: readonly Part[];
  private readonly used: (number | null)[];
  private before: (number | null)[] = [];

  constructor({ client, server, daemons }: Pick<RunningSystem, "client" | "server" | "daemons">) {
    this.parts = [
      { program: client, role: "client" },
      { program: server, role: "server" },
      ...daemons.map((program) => ({ program, role: "between" as const })),
    ];
    this.used = this.parts.map(() => 0);
  }

  begin(): void {
    this.before = this.now();
  }

  end(): void {
    for (const [i, after] of this.now().entries()) {
      const before = this.before[i] ?? null;
      const used = this.used[i] ?? null;
      this.used[i] =
        after === null || before === null || used === null ? null : used + after - before;
    }
  }

  /** Processor seconds so far, of all or of one role. */
  seconds(role?: Role): number | null {
    return sum(this.used.filter((_, i) => role === undefined || this.parts[i]!.role === role));
  }

  figures(): ProcessFigures[] {
    return this.parts.map(({ program, role }, i) => ({
      name: program.name,
      role,
      cpuSeconds: this.used[i] ?? null,
      pssBytes: pssOf(program.pid),
    }));
  }

  private now(): (number | null)[] {
    return this.parts.map(({ program }) => cpuSeconds(program.pid));
  }
}

function pssOf(pid: number): number | null {
  try {
    return memoryOf(pid).pssBytes;
  } catch {
    // Not ours to look at.
    return null;
  }
}

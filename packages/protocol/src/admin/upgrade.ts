/** Replacing the daemon's program while it runs: `POST /v1/upgrade/daemon`. */

/** What is asked. */
export interface DaemonUpgradeRequest {
  /**
   * Starts the new program, asks whether it could take over, ends it again, and says what would move.
   * Nothing else happens.
   */
  dryRun?: boolean;
  /** The program to start: a script of Node, or an executable. Default: the one that runs now. */
  program?: string;
}

/** A program that serves, or served, the daemon's folder. */
export interface DaemonProgram {
  /** Version of Koala, as the program says of itself. */
  version: string;
  pid: number;
}

/** What goes from one process to the other. */
export interface MovedParts {
  runtimes: number;
  apps: number;
  links: number;
  /** Calls that were open at the moment of the change, on all runtimes; a call between two of them counts twice. */
  calls: number;
  /** Messages that were on their way in or out of a link, part of them sent or received. */
  messages: number;
  /** Memfds, doorbells and sockets. */
  descriptors: number;
  /** Policies that are attached. */
  policies: number;
  /** State that was written down, without what stays in shared memory. */
  bytes: number;
}

/** One step of an upgrade, in the order in which they happened. */
export interface UpgradeStep {
  /** `start`, `prepare`, `freeze`, `save`, `send`, `restore`, `resume`. */
  step: string;
  ms: number;
}

export interface DaemonUpgradeAnswer {
  dryRun: boolean;
  /** Path of the program that was started. */
  program: string;
  from: DaemonProgram;
  to: DaemonProgram;
  moved: MovedParts;
  /** From the last poll of the old process to the first of the new one; 0 for a dry run. */
  pauseMs: number;
  /** The same as `moved.calls`. */
  callsInFlight: number;
  /** Calls that could not be moved. */
  failed: number;
  steps: UpgradeStep[];
}

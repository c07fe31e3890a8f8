/** What is compared: how its programs are started. */
import type { LoadCase } from "../case.ts";
import type { Program } from "../program.ts";
import type { Stage } from "../stage.ts";

/** The programs of a system that is ready for its load. */
export interface RunningSystem {
  /** Takes commands (`load-command.ts`). */
  readonly client: Program;
  readonly server: Program;
  /** What stands between the two: daemons, forwarders. */
  readonly daemons: readonly Program[];
  /** Another app that sends all the time while the client is measured. */
  readonly hog?: Program;
  /**
   * For systems that share their programs, and differ in what is set in the daemons: sets it before a round,
   * and takes it back after it. So nothing else differs: programs that do the same are not equally fast.
   */
  enter?(): Promise<void>;
  leave?(): Promise<void>;
}

export interface System {
  readonly name: string;
  /** Names of the cases that it can take. */
  readonly cases: readonly string[];
  /** False: only measured when it is asked for by name. */
  readonly byDefault: boolean;
  /** The floors of a Koala system, by case: what it can't be faster than. */
  readonly floors: Readonly<Record<string, string>>;
  /** The system without what this one adds, which it is compared with. */
  readonly plain?: string;
  /** Calls per second that it should come to. */
  readonly targetRate?: number;
  /** Starts it; everything is on the stage, which ends it. */
  start(stage: Stage, loadCase: LoadCase): Promise<RunningSystem>;
}

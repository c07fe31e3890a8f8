/** What is compared: how its programs are started. */
import type { LoadMethod } from "../cases/case.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";

/** What a system is started for. */
export interface StartLoad {
  readonly method: LoadMethod;
  /** The largest payload. */
  readonly bytes: number;
  /** The most calls under way at the same time. */
  readonly inFlight: number;
  /** Client processes; one when not given. */
  readonly clients?: number;
}

/** What a system can't take; what is left out, it can. */
export interface SystemLimits {
  readonly methods?: readonly LoadMethod[];
  readonly bytesMax?: number;
  readonly clientsMax?: number;
  /** False: its client only makes calls that follow on each other. */
  readonly openLoop?: boolean;
}

/** How a client finds its server. */
export interface ClientStart {
  /** A file of `programs/`. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The programs of a system that is ready for its load. */
export interface RunningSystem {
  /** Takes commands (`load-command.ts`). */
  readonly client: Program;
  readonly server: Program;
  /** What stands between the two: daemons, forwarders. */
  readonly daemons: readonly Program[];
  /** All clients, of which `client` is the first; that one when not given. */
  readonly clients?: readonly Program[];
  /** With what the first client was started; more apps of its kind can be started alike. */
  readonly clientStart?: ClientStart;
  /** Programs that no call passes through. */
  readonly beside?: readonly Program[];
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
  /** What it is made of, in a few words. */
  readonly title?: string;
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
  /** Others' software that it is made of: names in `peers/catalog.ts`. */
  readonly needs?: readonly string[];
  readonly limits?: SystemLimits;
  /** Starts it; everything is on the stage, which ends it. */
  start(stage: Stage, load: StartLoad): Promise<RunningSystem>;
}

/** What a policy has at hand besides the call. */
import type { Origin, Status } from "@koala/interface";
import type { Endpoint, PolicyCall } from "./call.ts";

/** A timer of a policy. It may be set again after it has fired, and again before. */
export interface PolicyTimer {
  set(afterMs: number): void;
  clear(): void;
}

/** One attempt to get a held call done; see `PolicyContext.attempt`. */
export interface Attempt {
  readonly call: PolicyCall;
  /** 1 for the first of a call. */
  readonly number: number;
  /** Whom it was sent to; undefined before, and when nobody could be found. */
  readonly endpoint: Endpoint | undefined;
  readonly startedMs: number;
  /** Valid in `onEnd`. */
  readonly status: Status;
  readonly origin: Origin;
  /** Gives up on it: whoever serves it is told, `onEnd` is not called. */
  cancel(): void;
}

export interface AttemptOptions {
  /** Endpoints that get it only if there is nobody else. */
  avoid?: readonly Endpoint[];
  /** Time of this attempt; it never outlives the call's deadline. 0 = no limit of its own. */
  timeoutMs?: number;
  /**
   * It has ended. True: its outcome becomes the call's, other attempts are cancelled. False: its outcome is
   * dropped; the policy attempts again, waits for others, or denies the call.
   */
  onEnd(attempt: Attempt): boolean;
}

export interface MirrorOptions {
  /** Mesh name that gets a copy of the request. */
  target: string;
  timeoutMs: number;
  /** Outcome of the copy; nobody waits for it. */
  onEnd?(status: Status, latencyMs: number): void;
}

/** One instance of a policy: each runtime of the daemon has its own, so `state` needs no locks. */
export interface PolicyContext<Config = unknown, State = unknown> {
  /** The attachment's name, which denials and logs carry. */
  readonly name: string;
  /** Frozen; replaced by a reconfiguration. */
  readonly config: Config;
  state: State;
  /** Memory that all instances of the attachment and its control part share; `sharedBytes` long, zeroed at first. */
  readonly shared: SharedArrayBuffer;
  /** Which runtime this is, and how many there are. */
  readonly runtime: { readonly index: number; readonly count: number };
  /** Numbers for `koalactl policy list`; keys are those the definition names. */
  readonly counters: Record<string, number>;
  /** Monotonic, as of the start of this round. */
  nowMs(): number;
  /** Monotonic, exact; costs a system call's worth. */
  nowMicros(): number;
  /** Uniform in [0, 1). */
  random(): number;
  timer(fire: () => void): PolicyTimer;
  /** To the log; bounded, the rest is counted. */
  warn(message: string, fields?: Record<string, string | number | boolean>): void;
  /** An event of the topic `policy`; bounded, the rest is counted. */
  event(name: string, fields?: Record<string, string | number | boolean>): void;
  /** A message (structured clone) to the control part; false when it was dropped because too many wait. */
  notify(message: unknown): boolean;
  /** For a call that this policy holds: sends the request behind this policy. */
  attempt(call: PolicyCall, options: AttemptOptions): Attempt;
  /** Sends a copy of the request elsewhere; false when there was no room. The call itself is not touched. */
  mirror(call: PolicyCall, options: MirrorOptions): boolean;
}

/** What the control part of an attachment has at hand. It runs on the daemon's main thread, once. */
export interface ControlContext<Config = unknown> {
  readonly name: string;
  readonly config: Config;
  readonly shared: SharedArrayBuffer;
  readonly runtimes: number;
  /** Name of this daemon. */
  readonly host: string;
  warn(message: string, fields?: Record<string, string | number | boolean>): void;
}

/** The slow half of a policy: writes files, answers scrapes, sends to collectors. */
export interface ControlPart<Config = unknown> {
  /**
   * When the policy is detached, the part is closed only after the calls that are on their way through it
   * have ended, and hears what `stop` of the instances says. Else it is closed at once.
   */
  readonly outlivesCalls?: boolean;
  onNotice?(message: unknown, runtime: number): void;
  reconfigure?(config: Config): void | Promise<void>;
  /** Flushes what it has and ends; nothing may stay open. */
  close(): void | Promise<void>;
}

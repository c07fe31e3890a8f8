/** What the manager of policies (main thread) and a runtime say to each other. Plain data, and shared memory. */
import type { Selector } from "@koala/policy/engine";
import type { FileTexts } from "./config-files.ts";

/** An attachment as a runtime carries it out. */
export interface PlannedPolicy {
  /** Of the attachment: positive, unique while the daemon runs, the same in all runtimes. */
  readonly id: number;
  readonly name: string;
  /** What the runtime loads; another path is other code. */
  readonly path: string;
  /** As it was written; checked. The runtime reads it with the type of the code that it has loaded. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What was in the files that it names. */
  readonly files: FileTexts;
  readonly selector: Selector;
  readonly onFailure: "open" | "closed";
  readonly budgetMicros: number;
  readonly shared: SharedArrayBuffer;
  /** Not empty: the policy is not to run again in this runtime, and why. */
  readonly failure: string;
}

/**
 * The steps of a change, in this order. All policies are always named, in order: those that are missing
 * are detached.
 *
 * - `load`: loads files of code, as many as there is time for; the answer says how many.
 * - `prepare`: loads code, makes instances, checks methods, tries whether state can be taken. No call
 *   sees any of it.
 * - `upgrade`: moves state to new code; only when there is some.
 * - `commit`: calls go through the new chains from now on. Can't fail.
 * - `abort`: forgets what was prepared; what was upgraded goes back.
 */
export type PolicyStep =
  | { readonly name: "load"; readonly files: readonly string[] }
  | { readonly name: "prepare"; readonly policies: readonly PlannedPolicy[] }
  | { readonly name: "upgrade" }
  /** With the policies, for a runtime that was started anew since `prepare`. */
  | { readonly name: "commit"; readonly policies: readonly PlannedPolicy[] }
  | { readonly name: "abort" }
  /**
   * A runtime that is new begins with these. What can't start is out of service from the start, which the
   * answer says.
   */
  | {
      readonly name: "begin";
      readonly policies: readonly PlannedPolicy[];
      /** As many runtimes as there may be; see `ctx.runtime`. */
      readonly runtimes: number;
    }
  /** Takes a policy out of service that has hung in another runtime. */
  | { readonly name: "fail"; readonly id: number; readonly reason: string }
  | { readonly name: "status" };

/** Main thread to runtime. */
export interface PolicyCommand {
  readonly op: "policies";
  readonly seq: number;
  readonly step: PolicyStep;
}

/** Why a step was refused. */
export interface PolicyRefusal {
  readonly code: string;
  readonly policy: string;
  readonly message: string;
  /** For problems of the configuration: where. */
  readonly path?: readonly (string | number)[];
  readonly offset?: number | undefined;
}

/** A policy in a runtime. */
export interface PlannedStatus {
  readonly id: number;
  readonly failure: string;
  readonly counters: Readonly<Record<string, number>>;
}

export interface PolicyStepAnswer {
  readonly refusals: readonly PolicyRefusal[];
  /** How long the runtime did nothing else. */
  readonly micros: number;
  /** Bindings that policies of this change act on, before or after. */
  readonly bindings: number;
  readonly openCalls: number;
  /** Instances that went on to new code. */
  readonly moved: number;
  /** For `load`: files that are loaded now, of those that were named. */
  readonly loaded: number;
  /** For `commit`: instances that were detached, and that calls are still on their way through. */
  readonly leaving: readonly number[];
  /** For `status`. */
  readonly policies: readonly PlannedStatus[];
}

/** Runtime to main thread. */
export type PolicyNotice =
  | {
      readonly op: "policies";
      readonly runtime: number;
      readonly seq: number;
      readonly answer: PolicyStepAnswer;
    }
  /** From an instance to the control part. `waiting` counts those that are on their way. */
  | {
      readonly op: "policy-message";
      readonly runtime: number;
      readonly id: number;
      readonly message: unknown;
      readonly waiting: Int32Array;
    }
  /** The last call of an instance that was detached has ended, and so has the instance. */
  | { readonly op: "policy-ended"; readonly runtime: number; readonly id: number }
  | {
      readonly op: "policy-failed";
      readonly runtime: number;
      readonly id: number;
      readonly name: string;
      readonly reason: string;
    };

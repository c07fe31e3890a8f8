/** What the main thread and a runtime say to each other while the daemon is handed over. */
import type { RuntimeSummary, SchemaState } from "./runtime-state.ts";

/** Main thread to runtime. `fds` are the runtime's from then on, state files stay the main thread's. */
export type HandoverCommand =
  /** Stand still until `thaw`; nothing is polled, what was handed to outputs has left them. */
  | { op: "freeze" }
  /** Name the schemas that are known; others may come until the runtime stands still. */
  | { op: "schemas" }
  /** Write the state down. All runtimes stand still. */
  | { op: "save" }
  /** Compile these schemas: a state file. */
  | { op: "prepare"; fd: number }
  /** Become what the state file says, and stand still; `fds` are the descriptors that it names. */
  | { op: "restore"; fd: number; fds: number[] }
  /** Go on. */
  | { op: "thaw" }
  /** The next daemon has everything: end, and tell nobody. */
  | { op: "leave" };

/** Runtime to main thread. */
export type HandoverNotice = { op: "handover"; runtime: number } & HandoverResult;

export type HandoverResult =
  | { step: "schemas"; schemas: SchemaState[] }
  | { step: "frozen" }
  | { step: "prepared" }
  | { step: "restored" }
  /** `fds`: what the state names by their place in this list. */
  | { step: "saved"; fd: number; bytes: number; fds: number[]; summary: RuntimeSummary }
  /** By the clock that all processes share. */
  | { step: "thawed"; atMicros: number }
  /** The runtime can't do what it was told; it stands still if it did before. */
  | { step: "failed"; code: string; reason: string };

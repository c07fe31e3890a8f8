/** What the main thread and a runtime say to each other while the daemon is handed over. */
import type { RuntimeSummary } from "./runtime-state.ts";

/** Main thread to runtime. Descriptors stay the main thread's. */
export type HandoverCommand =
  /** Stand still until `thaw`; nothing is polled, what was handed to outputs has left them. */
  | { op: "freeze" }
  /** Write the state down. All runtimes stand still. */
  | { op: "save" }
  /** Compile these schemas: a state file. */
  | { op: "prepare"; fd: number }
  /** Become what the state file says, and stand still; `fds` are the descriptors that it names. */
  | { op: "restore"; fd: number; fds: number[] }
  /** Go on. */
  | { op: "thaw" };

/** Runtime to main thread. */
export type HandoverNotice = { op: "handover"; runtime: number } & HandoverResult;

export type HandoverResult =
  | { step: "frozen" }
  | { step: "prepared" }
  | { step: "restored" }
  /** `fds`: what the state names by their place in this list. */
  | { step: "saved"; fd: number; bytes: number; fds: number[]; summary: RuntimeSummary }
  /** By the clock that all processes share. */
  | { step: "thawed"; atMicros: number }
  /** The runtime can't do what it was told; it stands still if it did before. */
  | { step: "failed"; code: string; reason: string };

/** What the main thread has runtimes do with engines, and what they answer. */
import type { EngineMove, EngineVersion } from "./engine-module.ts";

/** Main thread to runtime. Each is answered once. */
export type EngineOrder =
  /** Load the code of a frontend (null: the one built in), and see whether it can take over. */
  | { order: "prepare"; path: string | null }
  /** Put what was prepared in the place of all frontends of this runtime. */
  | { order: "replace" }
  /** Forget what was prepared. */
  | { order: "forget" }
  /** Put the frontends before the last `replace` back. */
  | { order: "back" };

export type EngineAnswer =
  | { order: "prepare"; from: EngineVersion; to: EngineVersion; micros: number }
  | { order: "replace" | "back"; moves: EngineMove[]; openCalls: number }
  | { order: "forget" }
  /** It could not be done; the runtime goes on as before. */
  | { order: "failed"; code: string; reason: string };

export type EngineCommand = { op: "engines"; seq: number } & EngineOrder;

export type EngineNotice = { op: "engines"; seq: number } & EngineAnswer;

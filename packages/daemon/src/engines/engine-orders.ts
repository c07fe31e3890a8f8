/** What the main thread has runtimes do with engines, and what they answer. */
import type { EngineMove, EngineVersion } from "./engine-module.ts";
import type { MoveAnswer, MoveOrder } from "./move-orders.ts";

/** What has code that can be upgraded: what serves apps, and links. */
export type EngineKind = "frontend" | "adapter";

/** Main thread to runtime. Each is answered once. */
export type UpgradeOrder =
  /** Load the code of a kind of engine (null: what is built in), and see whether it can take over. */
  | { order: "prepare"; engine: EngineKind; path: string | null }
  /** Put what was prepared in the place of all engines of its kind in this runtime. */
  | { order: "replace" }
  /** Forget what was prepared. */
  | { order: "forget" }
  /** Put the code before the last `replace` back. */
  | { order: "back" };

export type EngineOrder = UpgradeOrder | MoveOrder;

export type EngineAnswer =
  | { order: "prepare"; from: EngineVersion; to: EngineVersion; micros: number }
  | { order: "replace" | "back"; moves: EngineMove[]; openCalls: number }
  | { order: "forget" }
  | MoveAnswer
  /** It could not be done; the runtime goes on as before. */
  | { order: "failed"; code: string; reason: string };

export type EngineCommand = { op: "engines"; seq: number } & EngineOrder;

export type EngineNotice = { op: "engines"; seq: number } & EngineAnswer;

/** Whether an order is about code; else it is about an app that moves. */
export function isUpgradeOrder(order: EngineOrder): order is UpgradeOrder {
  return ["prepare", "replace", "forget", "back"].includes(order.order);
}

/** What the main thread gives to the thread that tries policies, and what it answers. Plain data. */
import type { TriedPolicy, TryVerdict } from "@koala/protocol";
import type { PlannedPolicy } from "../policies/runtime-plan.ts";
import type { KnownSchema, RawCall } from "./observe-orders.ts";

/** A policy to try. */
export interface TriedPlan extends PlannedPolicy {
  /** As `use` names its code. */
  readonly use: string;
}

export interface TryOrder {
  readonly policies: readonly TriedPlan[];
  readonly calls: readonly RawCall[];
  /** By service. */
  readonly schemas: Readonly<Record<string, readonly KnownSchema[]>>;
}

export interface TryResult {
  readonly policies: TriedPolicy[];
  readonly verdicts: TryVerdict[];
  readonly notes: string[];
}

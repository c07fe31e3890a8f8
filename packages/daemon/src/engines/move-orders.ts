/**
 * The steps in which an app moves from one runtime of the daemon to another:
 *
 * ```
 *  main        A (has the app)          B (gets it)             all but B
 *   │ describe ─▶ its schemas
 *   │ learn    ──────────────────────▶ compiles them
 *   │ leave    ─▶ suspended; state
 *   │ arrive   ──────────────────────▶ restored, suspended;
 *   │                                   offers its services
 *   │ hear     ───────────────────────────────────────────────▶ know that B offers them
 *   │ part     ─▶ calls go on over
 *   │             the link to B
 *   │ settle   ──────────────────────▶ resumed
 * ```
 *
 * Up to `part` nothing has changed that `stay` (at A) and `expel` (at B) do not undo.
 */
import type { Caller } from "@koala/policy";
import type { AppState, SchemaRef } from "../datapath/app-state.ts";
import type { SchemaState } from "../handover/runtime-state.ts";
import type { StreamState } from "../streams/stream-state.ts";

/** An open call that the app has made. */
export interface CarriedOutgoing {
  /** At A. */
  readonly id: number;
  readonly callerId: number;
  readonly binding: number;
  readonly method: number;
  readonly timeLeftMs: number;
  readonly stream: StreamState | null;
}

/** An open call that the app serves. */
export interface CarriedIncoming {
  /** At A. */
  readonly id: number;
  readonly knownAs: number;
  /** Nobody waits for the reply. */
  readonly isAbandoned: boolean;
  readonly export: number;
  /** Indexes of the method in the caller's schema and in the app's. */
  readonly method: number;
  readonly calleeMethod: number;
  readonly blockTag: number;
  readonly blockOffset: number;
  readonly timeLeftMs: number;
  readonly target: string;
  readonly caller: SchemaRef;
  readonly identity: Caller;
  readonly stream: StreamState | null;
}

export interface CarriedCalls {
  readonly outgoing: readonly CarriedOutgoing[];
  readonly incoming: readonly CarriedIncoming[];
}

export interface MovedApp extends CarriedCalls {
  readonly state: AppState;
  /** Those of the app, and of its callers. */
  readonly schemas: readonly SchemaState[];
}

/** A service by its mesh name and its full protobuf name. */
export type ServiceName = readonly [name: string, service: string];

export type MoveOrder =
  | { order: "describe"; app: number }
  | { order: "learn"; schemas: readonly SchemaState[] }
  | { order: "leave"; app: number }
  | { order: "arrive"; moved: MovedApp; from: number }
  | { order: "hear"; runtime: number; services: readonly ServiceName[] }
  /** `streams`: a call's id at A, and at B, where the app has made it. */
  | { order: "part"; app: number; to: number; streams: readonly (readonly [number, number])[] }
  /** `releases`: tags and offsets of blocks that have become free since. */
  | { order: "settle"; app: number; releases: readonly number[] }
  | { order: "stay"; app: number }
  | { order: "expel"; app: number };

export type MoveAnswer =
  | { order: "describe"; schemas: SchemaState[] }
  /** `atMicros`: when it stood still, by the clock that all threads share. */
  | { order: "leave"; moved: MovedApp; atMicros: number }
  | { order: "arrive"; streams: [number, number][]; services: ServiceName[] }
  | { order: "part"; releases: number[] }
  | { order: "settle"; atMicros: number }
  | { order: "learn" | "hear" | "stay" | "expel" };

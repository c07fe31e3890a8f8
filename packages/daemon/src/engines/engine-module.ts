/**
 * Engines as modules: code that can be replaced while the daemon runs. The daemon has one of each built in;
 * a newer version is loaded beside it, asked whether it can take over, and given the state of each engine.
 *
 * ```
 *  run ─▶ suspend ─▶ flush ─▶ decompose ─▶ state ─▶ restore (new code) ─▶ resume
 *            ▲                                          │ throws
 *            └────────────── resume (old code) ◀────────┘
 * ```
 *
 * The old engine is kept, suspended, until the new one runs.
 */

/** What one version of an engine's code says of itself. */
export interface EngineVersion {
  /** Semantic version of the code. */
  readonly version: string;
  /** Version of the state that it hands over. */
  readonly stateVersion: number;
}

/**
 * Version of what engines of a kind and the rest of the daemon expect of each other: their options, and the
 * members that are called. Code that is written for another one is refused.
 */
export const engineContracts = { frontend: 1, adapter: 1 } as const;

/** The same as texts: `frontend/1`. */
export const offeredToEngines: readonly string[] = Object.entries(engineContracts).map(
  ([kind, version]) => `${kind}/${version}`,
);

/** A version of the code of one kind of engine. */
export interface EngineModule<Options, Engine, State> extends EngineVersion {
  /** The kind: `frontend` (apps) or `adapter` (links). */
  readonly name: string;
  /** Of `engineContracts`, the one that it is written for. */
  readonly contract: number;
  /** Why it can't take over engines of another version; "" when it can. */
  accepts(from: EngineVersion): string;
  /** A new engine, running. */
  create(options: Options): Engine;
  /**
   * An engine that goes on where another one stopped, suspended. Throws when it can't, and then leaves
   * nothing behind: descriptors in the state stay the caller's until it has returned.
   */
  restore(options: Options, state: State): Engine;
}

/** An engine that can hand over to a successor. */
export interface Replaceable<State> {
  /** Takes no more work, and makes visible what it has put into its outputs. */
  suspend(): void;
  /** Its state, while suspended. Changes nothing, so the engine can still go on itself. */
  decompose(): State;
  /** Goes on, with what has come meanwhile. */
  resume(): void;
  /** A successor has taken over: lets go of what did not go along. */
  retire(): void;
}

/** What the upgrade of one engine came to. */
export interface EngineMove {
  /** `frontend` or `adapter`. */
  readonly engine: string;
  /** For people: the app or the link. */
  readonly label: string;
  readonly pauseMicros: number;
  /** Calls that were open on it. */
  readonly callsInFlight: number;
}

/** What is wrong with a value that should be an engine module of this kind; "" when nothing is. */
export function engineModuleProblem(value: unknown, name: keyof typeof engineContracts): string {
  if (typeof value !== "object" || value === null) {
    return `expected an engine module as the default export, found ${value === null ? "null" : typeof value}`;
  }
  const module = value as Record<string, unknown>;
  if (module["name"] !== name) {
    return `expected an engine module named "${name}", found ${JSON.stringify(module["name"])}`;
  }
  if (typeof module["version"] !== "string" || module["version"] === "") {
    return `the engine module "${name}" has no version; expected text like "1.2.0"`;
  }
  if (!Number.isInteger(module["stateVersion"])) {
    return `the engine module "${name}" has no stateVersion; expected a whole number`;
  }
  const contract = engineContracts[name];
  if (module["contract"] !== contract) {
    return `the engine module "${name}" ${module["version"]} is written for contract ${JSON.stringify(module["contract"])}, and this daemon has ${name}/${contract}. Take the one of a version of the daemon with the same contract`;
  }
  for (const key of ["accepts", "create", "restore"]) {
    if (typeof module[key] !== "function") {
      return `the engine module "${name}" has no function "${key}"`;
    }
  }
  return "";
}

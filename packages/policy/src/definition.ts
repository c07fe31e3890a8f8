/** What a policy module exports. */
import type { MethodSchema } from "@koala/schema";
import type { z } from "zod";
import type { Endpoint, PolicyCall, StreamMessage } from "./call.ts";
import type { ControlContext, ControlPart, PolicyContext } from "./context.ts";
import type { PolicyAbility, PolicyNeeds } from "./manifest.ts";
import type { Verdict } from "./verdict.ts";

/** Something wrong with a configuration that its schema alone can't see. */
export interface ConfigProblem {
  /** Keys and indexes from the `config` table on. */
  readonly path: readonly (string | number)[];
  /** What is wrong and what was expected. */
  readonly message: string;
  /** Where in the text at `path`, in UTF-16 units, for expressions. */
  readonly offset?: number;
}

/** A method that a policy is asked to prepare for, and where. */
export interface PreparedMethod {
  readonly service: string;
  readonly method: MethodSchema;
}

/**
 * A policy. Handlers run on the path of a call: they must not wait, and what they throw takes the policy
 * out. Every request that got past `onRequest`, or was held, is followed by one `onResponse`, also when
 * the caller gave up (CANCELLED) or the deadline passed; not when the policy itself has denied what it held.
 */
export interface PolicyDefinition<
  Config = unknown,
  State = unknown,
  Request = unknown,
  Response = unknown,
> {
  /** Lower case with hyphens; what `use` in koala.toml names, for policies that ship. */
  readonly name: string;
  /** Semantic version of the code. */
  readonly version: string;
  /** Version of what `export` returns; 1 when not given. */
  readonly stateVersion?: number;
  /** Type of the `config` table. */
  readonly config: z.ZodType<Config>;
  /** Keys of the table that name a file, of the type `configFileField`. */
  readonly fileKeys?: readonly string[];
  /** Names of the numbers in `ctx.counters`. */
  readonly counters?: readonly string[];
  /** What it may do to calls. Handlers, state and the control part need not be named, they are seen. */
  readonly provides?: readonly PolicyAbility[];
  /** What it can't run without; a daemon that does not have it refuses the policy. */
  readonly needs?: PolicyNeeds;
  /** Bytes of `ctx.shared`, for a configuration; 0 when not given. */
  sharedBytes?(config: Config, runtimes: number): number;
  /** What is wrong with a configuration beyond its type; asked before anything changes. */
  check?(config: Config): readonly ConfigProblem[];
  /**
   * What is wrong with it for a method that it will act on; asked for all that are known before anything
   * changes, and for those that come later when they come.
   */
  checkMethod?(config: Config, method: PreparedMethod): readonly ConfigProblem[];
  /** Called once for each method that calls are made of; `false`: nothing to do there, the policy is left out. */
  prepare?(method: PreparedMethod, ctx: PolicyContext<Config, State>): unknown;
  /**
   * Whether `onStreamMessage` has something to do for a method; asked after `prepare`, and taken for granted
   * without it. Messages that no policy listens to are not copied for policies.
   */
  listens?(method: PreparedMethod, ctx: PolicyContext<Config, State>): boolean;
  /** Makes the state of an instance. */
  start?(ctx: PolicyContext<Config, State>): State;
  /** The instance ends; no call is on its way any more. */
  stop?(ctx: PolicyContext<Config, State>): void;
  /** `ctx.config` is new; without this, the state stays as it is. */
  reconfigure?(ctx: PolicyContext<Config, State>, before: Config): void;
  onRequest?(
    call: PolicyCall<Request, Response>,
    ctx: PolicyContext<Config, State>,
  ): Verdict | undefined;
  /** In the opposite order of `onRequest`. `deny` replaces the reply. */
  onResponse?(
    call: PolicyCall<Request, Response>,
    ctx: PolicyContext<Config, State>,
  ): Verdict | undefined;
  /**
   * Each message of a streaming call, in order, after `onRequest` has let the call pass: those of the client
   * in the order of the policies, those of the server in the opposite one. `deny` ends the call; messages can't
   * be held. The one request of a call that returns a stream is seen by `onRequest` only, as is the one
   * reply of a call that takes one by `onResponse`.
   */
  onStreamMessage?(
    message: StreamMessage<Request, Response>,
    call: PolicyCall<Request, Response>,
    ctx: PolicyContext<Config, State>,
  ): Verdict | undefined;
  /**
   * Chooses among the endpoints of a call, of which there is at least one: returns one of them, or those
   * that the next policy may choose from. None (an empty array): the call ends with UNAVAILABLE.
   */
  onRoute?(
    call: PolicyCall<Request, Response>,
    endpoints: readonly Endpoint[],
    ctx: PolicyContext<Config, State>,
  ): Endpoint | readonly Endpoint[];
  /** The state for the next version of the code; a structured clone. The held calls are offered to it again. */
  export?(ctx: PolicyContext<Config, State>): unknown;
  /**
   * The state from what an older, or the same, version exported. Throws when it can't: the old code goes on.
   * Without it, a new version starts anew.
   */
  import?(saved: unknown, stateVersion: number, ctx: PolicyContext<Config, State>): State;
  /** The slow half; see `ControlPart`. */
  control?(ctx: ControlContext<Config>): ControlPart<Config> | Promise<ControlPart<Config>>;
}

const brand: unique symbol = Symbol.for("koala.policy") as never;

/** Marks a definition as a policy, and lets TypeScript infer its types. A policy module exports it by default. */
export function definePolicy<Config, State = undefined, Request = unknown, Response = unknown>(
  definition: PolicyDefinition<Config, State, Request, Response>,
): PolicyDefinition<Config, State, Request, Response> {
  return Object.freeze({ ...definition, [brand]: true });
}

/** Whether a module's export came from `definePolicy`, of this copy of the package or another. */
export function isPolicy(value: unknown): value is PolicyDefinition {
  return typeof value === "object" && value !== null && brand in value;
}

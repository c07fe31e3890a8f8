/** What a policy says of itself besides its handlers: what it does to calls, and what it can't run without. */
import type { PolicyDefinition } from "./definition.ts";

/**
 * Version of the contract between policies and the daemon, `major.minor`: what a policy of the same major
 * and of this or an older minor version relies on is there.
 */
export const policyContract = "1.0";

/** What a policy may do to calls that its members don't tell. Choosing servers is told by `onRoute`. */
export type PolicyAbility =
  /** Sends another message, other metadata, another priority than it got. */
  | "change"
  /** Ends calls with a status of its own. */
  | "deny"
  /** Keeps calls waiting. */
  | "hold"
  /** Sends the requests of held calls itself, once or more. */
  | "attempt"
  /** Sends copies of requests elsewhere. */
  | "mirror";

/** All abilities. */
export const policyAbilities: readonly PolicyAbility[] = [
  "change",
  "deny",
  "hold",
  "attempt",
  "mirror",
];

/** What must be there for a policy; checked when its code is loaded, before anything changes. */
export interface PolicyNeeds {
  /** Version of the contract that it is written for, `"1.0"`. */
  readonly policy?: string;
  /** The oldest Node that it runs on: `"22.4"`. */
  readonly node?: string;
  /** Names of `policyFeatures`. */
  readonly features?: readonly string[];
  /** Policies, as their definitions name them, of which one must be attached and enabled before it in order. */
  readonly after?: readonly string[];
}

/** What this version of the contract offers to policies, for those that must not run without it. */
export const policyFeatures: readonly string[] = [
  "attempts",
  "control",
  "fields",
  "mirrors",
  "routes",
  "shared-memory",
  "streams",
  "trace-context",
];

type HookName = Extract<keyof PolicyDefinition, `on${string}`>;

/** A handler that is missing here does not compile. */
const hooks: Readonly<Record<HookName, true>> = {
  onRequest: true,
  onResponse: true,
  onRoute: true,
  onStreamMessage: true,
};

/** The handlers that calls go through. */
export const policyHooks: readonly string[] = Object.keys(hooks);

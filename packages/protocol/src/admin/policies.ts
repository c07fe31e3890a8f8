/** Policies at the admin socket: which there are, and how they are attached, detached, set and upgraded. */

/** Where a policy acts. */
export type PolicySide = "client" | "server" | "both";

/**
 * Which calls a policy sees. What is left out matches everything; of a list, one entry has to match. `*`
 * stands for any run of characters.
 */
export interface PolicyMatch {
  /** Full protobuf name: `geo.v1.*`. */
  service?: string | string[];
  /** Protobuf name of the method: `Nearby`. */
  method?: string | string[];
  /** What the calling app calls itself. */
  caller?: string | string[];
  /** The mesh name that is called. */
  target?: string | string[];
  side?: PolicySide;
  /** Labels of the calling app; all of them have to match. */
  labels?: Record<string, string>;
}

/** What becomes of calls when a policy has failed and was taken out. */
export type PolicyFailureMode = "open" | "closed";

/** A policy as somebody wants it. */
export interface PolicySpec {
  /** Unique; denials, logs and `koalactl` carry it. Default: `use`, where that is a name. */
  name?: string;
  /** `acl` for one that ships, the name of a package, or the path of a file or package. */
  use: string;
  match?: PolicyMatch;
  /** Smaller goes first. Default: behind all others; in koala.toml 10, 20, 30 … by position. */
  order?: number;
  /** Default true. */
  enabled?: boolean;
  /** Default `closed`. */
  onFailure?: PolicyFailureMode;
  /** Longest time that one call of a handler may take, with its unit. Default `20ms`. */
  budget?: string;
  config?: Record<string, unknown>;
}

/** Body of `POST /v1/policies/attach`. */
export interface AttachPolicyRequest {
  policy: PolicySpec;
  dryRun?: boolean;
}

/** Body of `POST /v1/policies/detach`. */
export interface DetachPolicyRequest {
  name: string;
  dryRun?: boolean;
}

/** Body of `POST /v1/policies/set`: what is given replaces what is there. */
export interface SetPolicyRequest {
  name: string;
  /** Replaces the whole table. */
  config?: Record<string, unknown>;
  /** Replaces single keys of the table; `null` removes one. */
  merge?: Record<string, unknown>;
  match?: PolicyMatch;
  order?: number;
  enabled?: boolean;
  onFailure?: PolicyFailureMode;
  budget?: string;
  /** Drops what was set by hand before: the policy is again as koala.toml has it. */
  reset?: boolean;
  dryRun?: boolean;
}

/** Body of `POST /v1/upgrade`. */
export interface UpgradeModuleRequest {
  /** As `use` names it. */
  module: string;
  /** Where the new code is; without it, where the old code came from. */
  path?: string;
  dryRun?: boolean;
}

/** One thing that a change did. */
export interface PolicyChange {
  kind:
    | "attached"
    | "detached"
    | "reordered"
    | "reconfigured"
    | "rematched"
    | "enabled"
    | "disabled"
    | "upgraded";
  policy: string;
  /** For a person: `order 20 → 10`, `acl 1.0.0 → 1.1.0`. */
  detail: string;
}

/** What a change has cost a runtime. */
export interface RuntimeCost {
  runtime: number;
  /** Longest time that calls of the runtime stood still while the change was prepared: code was loaded. */
  prepareMicros: number;
  /** Time that they stood still for the change itself. */
  pauseMicros: number;
  /** Bindings whose chain of policies is another one now. */
  bindings: number;
  /** Calls that were in flight during the change. */
  openCalls: number;
  /** Instances whose state went on to new code. */
  moved: number;
}

/** The upgrade of one engine: what serves an app, or a link. */
export interface EngineUpgrade {
  runtime: number;
  /** `frontend` or `adapter`. */
  engine: string;
  /** The app, or the link. */
  label: string;
  /** How long it was not served. */
  pauseMicros: number;
  /** Calls of it that were open, and that are still. */
  callsInFlight: number;
  /** Calls that ended because of it. */
  failed: number;
}

/** Answer to every change. With `dryRun`, what would change; nothing has. */
export interface ChangeAnswer {
  dryRun: boolean;
  /** Of the daemon after the change; as before when nothing changed. */
  revision: number;
  changes: PolicyChange[];
  runtimes: RuntimeCost[];
  /** Keys of koala.toml that differ from what runs and that can't change while it runs: `daemon.listen`. */
  needsRestart: string[];
  /** What a person should know besides. */
  notes: string[];
  /** For the upgrade of engines. */
  engines?: EngineUpgrade[];
}

/** A policy in one runtime. */
export interface PolicyInstance {
  runtime: number;
  state: "active" | "quarantined";
  /** Why it was taken out; "" otherwise. */
  failure: string;
  counters: Record<string, number>;
}

/** An attached policy. */
export interface PolicyStatus {
  name: string;
  use: string;
  /** Version of the code, from its definition. */
  version: string;
  stateVersion: number;
  /** The file that holds the code. */
  module: string;
  /** First digits of a hash over the code. */
  code: string;
  /** `file`: koala.toml; `admin`: attached by hand; `changed`: from the file, but set by hand since. */
  origin: "file" | "admin" | "changed";
  order: number;
  enabled: boolean;
  match: PolicyMatch;
  onFailure: PolicyFailureMode;
  budgetMicros: number;
  config: Record<string, unknown>;
  /** `quarantined` when it is in any runtime. */
  state: "active" | "disabled" | "quarantined";
  /** Why the first runtime took it out; "" otherwise. */
  failure: string;
  /** Sums over all runtimes. */
  counters: Record<string, number>;
  instances: PolicyInstance[];
}

/** Answer of `GET /v1/policies`, in the order in which they see a request. */
export interface PoliciesAnswer {
  revision: number;
  policies: PolicyStatus[];
}

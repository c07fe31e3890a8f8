/** `GET /v1/modules`: the code that the daemon has loaded, and what it says of itself. */

/** What a module can't run without. */
export interface ModuleNeeds {
  /** The contract that it is written for: `policy/1.0`. */
  contract: string;
  /** Oldest version of Node; "" when it does not say. */
  node: string;
  /** Features of the daemon. */
  features: string[];
  /** Policies that must be attached before it. */
  after: string[];
}

/** A module in use. */
export interface ModuleStatus {
  /** As the code calls itself. */
  name: string;
  kind: "policy" | "engine";
  version: string;
  stateVersion: number;
  /** As `use` names it; of an engine, its name. */
  use: string;
  /** The file that holds the code; "" for what the daemon was built with. */
  file: string;
  /** First digits of a hash over the code; "" for what the daemon was built with. */
  code: string;
  /**
   * Handlers (`onRequest`), what it may do to calls (`deny`, `hold`, `route`), `state` when its state goes on
   * to newer code, `control` when a part of it runs beside the calls. Of an engine, the contract:
   * `frontend/1`.
   */
  provides: string[];
  needs: ModuleNeeds;
  counters: string[];
  /** JSON schema of its configuration; null when there is none, or when it can't be told. */
  config: Record<string, unknown> | null;
  /** Policies that are attached with this code. */
  policies: string[];
}

/** Answer of `GET /v1/modules`. */
export interface ModulesAnswer {
  /** What the daemon offers to modules: contracts (`policy/1.0`, `frontend/1`) and features for policies. */
  offers: string[];
  modules: ModuleStatus[];
}

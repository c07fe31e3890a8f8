/** What the admin socket says and takes about runtimes: `/v1/runtimes` and `/v1/runtimes/move`. */

/** How a runtime is chosen for an app that attaches. */
export type RuntimeMode = "shared" | "dedicated" | "compact" | "spread";

/** What runtime threads are tied to. */
export type RuntimeAffinity = "none" | "core" | "smt" | "numa";

/** One runtime thread as `GET /v1/runtimes` shows it. */
export interface RuntimeReport {
  index: number;
  /** `starting`: it takes no apps yet, for the first time or after a failure. */
  state: "starting" | "running" | "stopping";
  /** How apps come to it: the mode of `[runtime]`, or `placed` when `[[placement]]` names it. */
  mode: RuntimeMode | "placed";
  /** Processors that its thread is tied to; empty: any. */
  cpus: number[];
  /** Busy share of the last second or two, 0 to 1. Looking for work instead of sleeping does not count. */
  load: number;
  apps: number;
  links: number;
  /** What it polls for apps, links and sibling runtimes. */
  engines: number;
  openCalls: number;
  roundsPerSecond: number;
  sleepsPerSecond: number;
  /** Sleeps that ended because there was something to do, timers not counted. */
  wakeupsPerSecond: number;
  /** Looks for work before a sleep. */
  spinsPerSecond: number;
  cpuSeconds: number;
  /** How often its thread was made anew. */
  restarts: number;
  /** Why the last time; "" when it never was. */
  lastFailure: string;
  /** ISO 8601, of the thread that runs now. */
  startedAt: string;
}

/** Answer of `GET /v1/runtimes`. */
export interface RuntimesAnswer {
  mode: RuntimeMode;
  affinity: RuntimeAffinity;
  rebalance: "on" | "off";
  /** Most runtimes there can be; more than there are only with `dedicated`. */
  runtimesMax: number;
  /** Time over which rates are taken, milliseconds. */
  windowMs: number;
  /** What can't be had on this machine, one sentence each. */
  notes: string[];
  runtimes: RuntimeReport[];
}

/** Body of `POST /v1/runtimes/move`. */
export interface MoveRequest {
  /** Id of the app, as `/v1/apps` shows it. */
  app: number;
  /** Index of the runtime that it goes to. */
  runtime: number;
}

/** Answer of `POST /v1/runtimes/move`. */
export interface MoveAnswer {
  app: number;
  from: number;
  to: number;
  /** How long the app was not served. */
  pauseMicros: number;
  /** Calls that were open at that moment. */
  callsInFlight: number;
  /** Calls that ended because of it. */
  failed: number;
}

/** Whether an app should go to another runtime, and which one: the decision alone. */

/** An app and how much it has to do. */
export interface BusyApp {
  readonly id: number;
  /** Calls that it made and served in the time that is looked at. */
  readonly calls: number;
  /** No rule ties it to where it is. */
  readonly mayMove: boolean;
}

/** A runtime and what it has to do. */
export interface BusyRuntime {
  readonly index: number;
  /** 0 to 1. */
  readonly load: number;
  readonly apps: readonly BusyApp[];
  /** It belongs to one app: others stay away. */
  readonly isDedicated: boolean;
}

export interface Move {
  readonly app: number;
  readonly from: number;
  readonly to: number;
}

/** Below this, nobody waits for long, and a move is not worth it. */
export const busyLoad = 0.6;
/** By how much the larger of the two loads must become smaller. */
const gainMin = 0.15;

/**
 * The move that makes the busiest runtime and the idlest one most alike, if it gains enough. What an app
 * costs is taken to be its share of the runtime's calls.
 */
export function chooseMove(runtimes: readonly BusyRuntime[]): Move | undefined {
  const shared = runtimes.filter(({ isDedicated }) => !isDedicated);
  const [from, ...others] = [...shared].sort((a, b) => b.load - a.load);
  const to = others.at(-1);
  if (from === undefined || to === undefined || from.load < busyLoad) return undefined;
  const calls = from.apps.reduce((sum, app) => sum + app.calls, 0);
  if (calls === 0) return undefined;
  let best: BusyApp | undefined;
  let bestLoad = from.load - gainMin;
  for (const app of from.apps) {
    if (!app.mayMove) continue;
    const cost = (from.load * app.calls) / calls;
    const larger = Math.max(from.load - cost, to.load + cost);
    if (larger > bestLoad) continue;
    best = app;
    bestLoad = larger;
  }
  return best === undefined ? undefined : { app: best.id, from: from.index, to: to.index };
}

/**
 * Which runtime an app goes to.
 *
 * - `shared`: the least loaded.
 * - `dedicated`: one that has no other app, made for it as long as there can be more; others stay away.
 * - `compact`: the first one that is not full, so that the rest sleep.
 * - `spread`: each in turn.
 *
 * A rule for the app's name comes before the mode of the configuration.
 */
import { fits } from "@koala/policy/engine";
import type { RuntimeMode } from "@koala/protocol";
import type { PlacementConfig } from "../config/index.ts";

/** A runtime as far as placing is concerned. */
export interface Place {
  readonly index: number;
  /** It serves; apps of one that does not yet have to wait until it does. */
  readonly isRunning: boolean;
  readonly apps: number;
  /** 0 to 1. */
  readonly load: number;
  /** It belongs to one app, which is there. */
  readonly isDedicated: boolean;
}

/** Where the app goes, or that it needs a new runtime. */
export interface Choice {
  readonly index: number | "new";
  /** No other app is to be placed there while it stays. */
  readonly isDedicated: boolean;
}

/** A runtime with this load takes no more apps in mode `compact`. */
export const fullLoad = 0.7;
/** Loads that differ by less are the same: the number of apps decides then. */
const loadStep = 0.25;

export interface PlacerOptions {
  mode: RuntimeMode;
  rules: readonly PlacementConfig[];
  runtimesMax: number;
}

export class Placer {
  private readonly options: PlacerOptions;
  private turn = -1;

  constructor(options: PlacerOptions) {
    this.options = options;
  }

  /** How an app of this name is placed. */
  wayOf(name: string): number | RuntimeMode {
    const { rules, mode } = this.options;
    return rules.find(({ caller }) => fits(caller, name))?.runtime ?? mode;
  }

  /** `all`: at least one, in order of their indexes. */
  choose(name: string, all: readonly Place[]): Choice {
    const way = this.wayOf(name);
    if (typeof way === "number") {
      const found = all.find(({ index }) => index === way) ?? leastLoaded(all);
      return { index: found.index, isDedicated: false };
    }
    const running = all.filter(({ isRunning }) => isRunning);
    const places = running.length > 0 ? running : all;
    const shared = places.filter(({ isDedicated }) => !isDedicated);
    const open = shared.length > 0 ? shared : places;
    switch (way) {
      case "dedicated": {
        const free = places.find(({ apps }) => apps === 0);
        if (free !== undefined) return { index: free.index, isDedicated: true };
        if (all.length < this.options.runtimesMax) return { index: "new", isDedicated: true };
        return { index: leastLoaded(places).index, isDedicated: false };
      }
      case "compact": {
        const first = open.find(({ load }) => load < fullLoad) ?? leastLoaded(open);
        return { index: first.index, isDedicated: false };
      }
      case "spread": {
        const next = open.find(({ index }) => index > this.turn) ?? open[0]!;
        this.turn = next.index;
        return { index: next.index, isDedicated: false };
      }
      case "shared":
        return { index: leastLoaded(open).index, isDedicated: false };
    }
  }
}

/** Of those with about the same load, the one with the fewest apps. */
export function leastLoaded(places: readonly Place[]): Place {
  return places.reduce((least, next) => {
    const difference = Math.floor(next.load / loadStep) - Math.floor(least.load / loadStep);
    if (difference !== 0) return difference < 0 ? next : least;
    return next.apps < least.apps ? next : least;
  });
}

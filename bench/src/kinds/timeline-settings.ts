/** The `[settings]` of experiments with changes: which, how often, and under which load. */
import { type Change, changes } from "../cases/changes.ts";
import type { Experiment } from "../launcher/experiment.ts";
import { wrongSetting } from "./policy-settings.ts";

export interface TimelineSettings {
  readonly changes: readonly Change[];
  readonly inFlight: number;
  /** Of the client that calls at a pace. */
  readonly callsPerSecond: number;
  /** How often daemons are replaced, which takes seconds; all else is done `rounds` times. */
  readonly replacements: number;
}

/** Reads and checks them; `ERR_EVAL_SETTINGS` names what is wrong. */
export function readTimelineSettings({
  settings,
  name,
}: Pick<Experiment, "settings" | "name">): TimelineSettings {
  const positive = (key: string): number => {
    const value = settings[key];
    if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
    throw wrongSetting(name, key, "a whole number above 0");
  };
  const known = changes.map((change) => change.name);
  const asked = settings["changes"];
  const isKnown = (each: unknown) => typeof each === "string" && known.includes(each);
  if (!Array.isArray(asked) || asked.length === 0 || !asked.every(isKnown)) {
    throw wrongSetting(name, "changes", `a list of these: ${known.join(", ")}`);
  }
  return {
    changes: changes.filter((change) => asked.includes(change.name)),
    inFlight: positive("inFlight"),
    callsPerSecond: positive("callsPerSecond"),
    replacements: positive("replacements"),
  };
}

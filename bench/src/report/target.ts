/** Whether what was to be reached has been. */

import { median, ratio } from "../figures/statistics.ts";
import type { Experiment, TargetSpec } from "../launcher/experiment.ts";
import type { ResultLine } from "../launcher/result-line.ts";
import { isWhere } from "./selection.ts";

export interface TargetOutcome {
  readonly target: TargetSpec;
  /** What the two have in common, where the target is about several results. */
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly ratio: number | null;
  /** Null when it was not measured. */
  readonly isReached: boolean | null;
  /** Why it was not measured, as a sentence. */
  readonly reason?: string;
}

/** One outcome for each pair of results that a target is about; one without a ratio when there is none. */
export function outcomesOf(
  { targets }: Pick<Experiment, "targets">,
  lines: readonly ResultLine[],
): TargetOutcome[] {
  return targets.flatMap((target) => {
    const outcomes = pairsOf(target, lines).map(([line, against]) =>
      outcomeOf(target, line, against),
    );
    return outcomes.length > 0 ? outcomes : [missing(target, lines)];
  });
}

function outcomeOf(target: TargetSpec, line: ResultLine, against: ResultLine): TargetOutcome {
  const { parameters } = line;
  const value = ratio(figureOf(line, target.figure), figureOf(against, target.figure));
  if (value === null) {
    const without = figureOf(line, target.figure) === null ? line : against;
    return {
      target,
      parameters,
      ratio: null,
      isReached: null,
      reason: `${without.system} has no ${target.figure} here`,
    };
  }
  const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = target;
  return { target, parameters, ratio: value, isReached: value <= atMost && value >= atLeast };
}

/** The median of the rounds; where there were none, the figure itself. */
function figureOf({ figures, rounds }: ResultLine, figure: string): number | null {
  return median(rounds?.[figure] ?? []) ?? figures[figure] ?? null;
}

function pairsOf(
  { system, against, where }: TargetSpec,
  lines: readonly ResultLine[],
): [ResultLine, ResultLine][] {
  const of = (name: string) =>
    lines.filter(
      (line) =>
        line.system === name && line.skipped === undefined && isWhere(line.parameters, where),
    );
  const others = of(against);
  return of(system).flatMap((line): [ResultLine, ResultLine][] => {
    // Systems need not have the same parameters: a floor without policies stands beside any number of them.
    const other = others.find(({ parameters }) => sharedAreEqual(line.parameters, parameters));
    return other === undefined ? [] : [[line, other]];
  });
}

function sharedAreEqual(a: ResultLine["parameters"], b: ResultLine["parameters"]): boolean {
  return Object.entries(a).every(([name, value]) => b[name] === undefined || b[name] === value);
}

function missing(target: TargetSpec, lines: readonly ResultLine[]): TargetOutcome {
  const reasons = [target.system, target.against].flatMap((name) => {
    const of = lines.filter(({ system }) => system === name);
    if (
      of.some(
        ({ skipped, parameters }) => skipped === undefined && isWhere(parameters, target.where),
      )
    )
      return [];
    const sentence = of.find(({ skipped }) => skipped !== undefined)?.skipped;
    return [sentence === undefined ? `there is no such result of ${name}` : `${name}: ${sentence}`];
  });
  const reason = reasons.join("; ") || "there are no two results with the same parameters";
  return { target, parameters: target.where, ratio: null, isReached: null, reason };
}

/** What a check of `koalactl doctor` has found. */
import { messageOf } from "@koala/interface";

/** `warning`: Koala works, but not as it could. `problem`: it does not. */
export type Verdict = "ok" | "warning" | "problem";

/** One line of the answer. */
export interface Finding {
  /** What was looked at, in a word or two; the same in every run. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly text: string;
  /** What to do about it, in one line; with every verdict but `ok`. */
  readonly fix?: string;
}

/** Findings that belong together. */
export interface FindingGroup {
  readonly title: string;
  readonly findings: readonly Finding[];
}

/** All is well. */
export function ok(check: string, text: string): Finding {
  return { check, verdict: "ok", text };
}

/** It works, but not as it could. */
export function warning(check: string, text: string, fix: string): Finding {
  return { check, verdict: "warning", text, fix };
}

/** It does not work. */
export function problem(check: string, text: string, fix: string): Finding {
  return { check, verdict: "problem", text, fix };
}

/** What `look` finds, or that it failed: a check never ends the others. */
export async function guarded(
  check: string,
  look: () => Finding | Promise<Finding>,
  fix: string,
): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    return problem(check, messageOf(error), fix);
  }
}

/** The worst verdict of all. */
export function worstOf(groups: readonly FindingGroup[]): Verdict {
  const verdicts = new Set(groups.flatMap(({ findings }) => findings.map((one) => one.verdict)));
  if (verdicts.has("problem")) return "problem";
  return verdicts.has("warning") ? "warning" : "ok";
}

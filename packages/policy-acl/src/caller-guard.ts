/** Whether a rule is for a caller. */

import type { CallInput } from "@koala/cel";
import { type Caller, fits } from "@koala/policy";

/** The answer for a caller is kept until another one calls: calls of one app follow each other. */
export function callerGuard(patterns: readonly string[]): (input: CallInput) => boolean {
  let last: Caller | undefined;
  let answer = false;
  return ({ caller }) => {
    if (caller === last) return answer;
    answer = patterns.some((pattern) => fitsCaller(pattern, caller));
    last = caller;
    return answer;
  };
}

/** As in the selectors of attachments. */
function fitsCaller(pattern: string, { app, host }: Caller): boolean {
  return fits(pattern, pattern.includes("@") ? `${app}@${host}` : app);
}

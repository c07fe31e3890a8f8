/** What a policy decides about a request. */

/**
 * `PASS` (also `undefined`): the call goes on to the next policy. `DENY`: it ends with the status that
 * `call.deny` was given. `HOLD`: it waits until the policy calls `call.resume` or `call.deny`.
 */
export const Verdict = { PASS: 0, DENY: 1, HOLD: 2 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Listens to a policy: what its handlers were called with, and what they said. */
import assert from "node:assert/strict";
import type { PolicyAbility, PolicyCall, PolicyDefinition } from "@koala/policy";
import { Verdict } from "@koala/policy";

/** How often the handlers of one call ran. */
export interface Seen {
  requests: number;
  responses: number;
  /** `onRequest` has let it go on, or held it. */
  wasTaken: boolean;
}

export class Recorder {
  /** The policy, with its handlers listened to. */
  readonly policy: PolicyDefinition;
  readonly byRequestId: Map<string, Seen> = new Map();
  /** What it was seen to do in its handlers. */
  readonly abilities: Set<PolicyAbility> = new Set();

  constructor(policy: PolicyDefinition) {
    this.policy = {
      ...policy,
      onRequest: (call, ctx) => {
        const seen = this.of(call);
        seen.requests++;
        const verdict = policy.onRequest?.(call, ctx);
        if (verdict !== Verdict.DENY) seen.wasTaken = true;
        return this.noted(verdict);
      },
      onResponse: (call, ctx) => {
        this.of(call).responses++;
        return this.noted(policy.onResponse?.(call, ctx));
      },
      ...this.streamsOf(policy),
    };
  }

  private streamsOf(policy: PolicyDefinition): Partial<PolicyDefinition> {
    const { onStreamMessage } = policy;
    if (onStreamMessage === undefined) return {};
    return {
      onStreamMessage: (message, call, ctx) => {
        const seen = this.of(call);
        assert.ok(seen.wasTaken && seen.responses === 0, "the call is open");
        return this.noted(onStreamMessage.call(policy, message, call, ctx));
      },
    };
  }

  private noted(verdict: Verdict | undefined): Verdict | undefined {
    if (verdict === Verdict.DENY) this.abilities.add("deny");
    if (verdict === Verdict.HOLD) this.abilities.add("hold");
    return verdict;
  }

  of({ requestId }: Pick<PolicyCall, "requestId">): Seen {
    let seen = this.byRequestId.get(requestId);
    if (seen === undefined) {
      seen = { requests: 0, responses: 0, wasTaken: false };
      this.byRequestId.set(requestId, seen);
    }
    return seen;
  }
}

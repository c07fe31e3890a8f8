/**
 * What every policy has to meet, as tests. What a user of a policy may rely on beyond its own page is
 * asked for here; each policy's package runs it with its own configurations.
 */
import { describe } from "node:test";
import { testCalls } from "./suite-calls.ts";
import { testChanges } from "./suite-changes.ts";
import { testManifest } from "./suite-manifest.ts";
import { testStreams } from "./suite-streams.ts";
import type { PolicySubject } from "./suite-subject.ts";

/** Registers the tests of the contract for one policy. */
export function testPolicy(subject: PolicySubject): void {
  describe(`policy contract: ${subject.policy.name}`, () => {
    testManifest(subject);
    testCalls(subject);
    testChanges(subject);
    testStreams(subject);
  });
}

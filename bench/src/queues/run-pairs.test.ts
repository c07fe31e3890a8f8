import assert from "node:assert/strict";
import { test } from "node:test";
import { queueModes, queueSubjects } from "./queue-plan.ts";
import { runPairs } from "./run-pairs.ts";

for (const { name, queue, ends } of queueSubjects) {
  for (const mode of queueModes) {
    test(`${name}, ${mode}: nothing is lost, doubled or out of order`, async () => {
      const cpus = [
        [[], []],
        [[], []],
      ] as const;
      const reply = await runPairs({ queue, ends, mode, cpus, seconds: 0.1 });
      assert.equal(reply.wrong, 0);
      assert.ok(reply.messages >= 2);
      assert.ok(reply.messagesPerSecond > 0);
      assert.equal(reply.p50Us === null, mode === "one-way");
    });
  }
}

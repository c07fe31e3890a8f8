// The suite must fail for policies that break the contract: each of these breaks one rule of it.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { createTempDirectory, spawnNode } from "@koala/testing";

const index = new URL("./index.js", import.meta.url).href;
const policyIndex = import.meta.resolve("@koala/policy");

/** What is wrong, as members of a definition, and the test that has to find it. */
const breakers: readonly [name: string, members: string, finds: RegExp][] = [
  [
    "keeps every call that was cancelled",
    "start: () => ({ list: [] }), onResponse(call, { state }) { if (call.status === 1) state.list.push({ of: call.requestId }); }",
    /not ok .*keeps nothing of 1000 calls/,
  ],
  [
    "changes its configuration",
    "onRequest(call, { config }) { config.a = 2; }",
    /not ok .*does not change its configuration/,
  ],
  [
    "never lets a call go",
    "onRequest: (call) => call.hold()",
    /not ok .*leaves a call that passes as it was/,
  ],
  [
    "changes requests",
    "onRequest(call) { call.metadata.set('x', '1'); }",
    /not ok .*leaves a call that passes as it was/,
  ],
  [
    "counts what its manifest does not name",
    "onRequest(call, ctx) { ctx.counters.other = 1; }",
    /not ok .*counts under the names of its manifest only/,
  ],
  [
    "takes any state",
    "start: () => ({ n: 0 }), onRequest(call, { state }) { state.n.toFixed(); }, export: ({ state }) => state, import: (saved) => saved",
    /not ok .*refuses a state that it does not know/,
  ],
  [
    "forgets its state",
    "start: () => ({ n: 0 }), onRequest(call, { state }) { if (++state.n > 60) return call.deny(8, 'no', 'r'); }",
    /not ok .*goes on with its state after an upgrade/,
  ],
  [
    "exports a function",
    "start: () => ({}), export: () => ({ f() {} }), import: () => ({})",
    /not ok .*exports what can be sent to another thread/,
  ],
  [
    "does not say that it denies",
    "onRequest: (call) => call.deny(8, 'no', 'r')",
    /not ok .*follows each request it took/,
  ],
  ["takes unknown keys", "config: z.looseObject({})", /not ok .*a key that there is not/],
  [
    "throws for long texts",
    "onRequest(call) { if (call.requestBytes > 5000) throw new Error('long'); }",
    /not ok .*works for odd requests/,
  ],
];

/** A program that runs the suite for all of them. */
const program = `
  import { definePolicy, z } from ${JSON.stringify(policyIndex)};
  import { testPolicy } from ${JSON.stringify(index)};
  const test = (number, members) => testPolicy({
    policy: definePolicy({ name: "broken-" + number, version: "1.0.0", config: z.strictObject({}), ...members }),
    validConfigs: [{ name: "nothing", config: {} }],
    invalidConfigs: [],
  });
  ${breakers.map(([, members], number) => `test(${number}, { ${members} });`).join("\n")}
`;

it("testPolicy finds out policies that break the contract", async (test) => {
  const file = join(createTempDirectory(test), "broken.mjs");
  writeFileSync(file, program);
  // The child reports for itself, not to the runner of this test.
  const env = { NODE_TEST_CONTEXT: "", NODE_OPTIONS: "--test-reporter=tap" };
  const child = spawnNode(file, [], { env });
  test.after(() => child.stop());
  const { code } = await child.exit(60_000);
  assert.equal(code, 1, child.output());
  const reports = child.output().split(/^# Subtest: policy contract: broken-/m);
  assert.equal(reports.length, breakers.length + 1, child.output());
  for (const [number, [name, , finds]] of breakers.entries()) {
    const report = reports.find((text) => text.startsWith(`${number}\n`));
    assert.match(report ?? "", finds, `a policy that ${name}`);
  }
});

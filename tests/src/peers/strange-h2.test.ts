/** An ingress answers what is unusual in HTTP/2 and refuses what is wrong, said by an implementation that is not Node's. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { spawnProgram } from "@koala/testing";
import { atEnd, startDaemon } from "../stage/cluster.ts";
import { serveProbe, startGateway } from "../stage/gateway.ts";
import { noPythonH2, peerSource, python } from "./peer-tools.ts";

/** As many cases as the program has. */
const casesCount = 18;

describe("Python's h2", { timeout: 170_000, skip: noPythonH2 }, () => {
  it("gets answers or refusals, as it should", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const { address, child: gateway } = await startGateway(t, daemon);
    const client = spawnProgram(python, [peerSource("strange_h2.py"), address]);
    atEnd(t, () => client.stop());
    await client.line(/^done$/, 120_000);
    await client.exit();
    const outcomes = client.output().match(/^(ok|failed) .*$/gm) ?? [];
    assert.equal(outcomes.length, casesCount, client.output());
    for (const outcome of outcomes) {
      await t.test(outcome.split(/[ :]/)[1]!, () => assert.match(outcome, /^ok /));
    }
    // It is the same process, and stops in order.
    assert.equal((await gateway.stop()).code, 0, gateway.output());
  });
});

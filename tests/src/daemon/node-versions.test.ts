/**
 * Apps on other versions of Node than the daemon's: `KOALA_TEST_NODES` lists their binaries, separated by
 * colons, such as `node_modules/.bin/node` of the npm packages node@22, node@24 and node@26.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startCluster, untilKnown } from "../stage/cluster.ts";
import { startKitchen } from "../stage/kitchen.ts";

const deadlineMs = 30_000;
const nodes = (process.env["KOALA_TEST_NODES"] ?? "").split(":").filter((path) => path !== "");
const skip = nodes.length > 0 ? false : "KOALA_TEST_NODES names no node binaries";

test("apps run on other versions of Node", { skip }, async (t) => {
  const { a, b } = await startCluster(t);
  await startKitchen(t, b);
  await untilKnown(a, "kitchen");
  const program = fileURLToPath(new URL("../programs/echo-once.js", import.meta.url));
  for (const node of nodes) {
    const env = { ...process.env, KOALA_PREFIX: a.prefix };
    const { stdout } = await promisify(execFile)(node, [program], { env, timeout: deadlineMs });
    assert.match(stdout, /^v\d+\.\S+ hello from v\d+/, node);
  }
});

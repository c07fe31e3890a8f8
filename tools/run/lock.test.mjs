import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { smallTree } from "../tidy/small-tree.mjs";
import { withLock } from "./lock.mjs";

const lockModule = new URL("./lock.mjs", import.meta.url).href;

/**
 * Another process that runs `body` with `withLock` and `path` in scope.
 *
 * @param {import("node:test").TestContext} context
 * @param {string} path
 * @param {string} body
 */
function otherProcess(context, path, body) {
  const program = `
    import { appendFileSync } from "node:fs";
    import { setTimeout as delay } from "node:timers/promises";
    import { withLock } from ${JSON.stringify(lockModule)};
    const path = ${JSON.stringify(path)};
    ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  return child;
}

test("the lock is held during the work and gone after it", async (context) => {
  const path = join(smallTree(context, {}), "inner", "lock");
  const result = await withLock(path, async () => {
    assert.match(readFileSync(path, "utf8"), new RegExp(`^${process.pid} \\d+$`));
    return 42;
  });
  assert.equal(result, 42);
  assert.deepEqual(readdirSync(join(path, "..")), []);
});

test("the lock is gone after work that failed", async (context) => {
  const path = join(smallTree(context, {}), "lock");
  await assert.rejects(
    withLock(path, () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(existsSync(path), false);
});

test("processes take turns", async (context) => {
  const root = smallTree(context, { journal: "" });
  const journal = join(root, "journal");
  const body = `
    for (let turn = 0; turn < 10; turn += 1) {
      await withLock(path, async () => {
        appendFileSync(${JSON.stringify(journal)}, process.pid + " in\\n");
        await delay(2);
        appendFileSync(${JSON.stringify(journal)}, process.pid + " out\\n");
      });
    }`;
  const children = [1, 2, 3].map(() => otherProcess(context, join(root, "lock"), body));
  const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0]));
  assert.deepEqual(codes, [0, 0, 0]);
  const lines = readFileSync(journal, "utf8").trim().split("\n");
  assert.equal(lines.length, 60);
  for (let index = 0; index < lines.length; index += 2) {
    assert.equal(lines[index + 1], lines[index]?.replace("in", "out"), `line ${index}`);
  }
});

test("a lock whose owner was killed is recovered, by one of several", async (context) => {
  const path = join(smallTree(context, {}), "lock");
  const owner = otherProcess(
    context,
    path,
    'await withLock(path, async () => { console.log("held"); await delay(60_000); });',
  );
  await once(owner.stdout, "data");
  owner.kill("SIGKILL");
  await once(owner, "exit");
  assert.equal(existsSync(path), true);
  let inside = 0;
  await Promise.all(
    [1, 2].map(() =>
      withLock(path, async () => {
        inside += 1;
      }),
    ),
  );
  assert.equal(inside, 2);
  assert.equal(existsSync(path), false);
});

test("a lock with the id of another process that runs now is recovered", async (context) => {
  const path = join(smallTree(context, {}), "lock");
  // The id is alive, the process that started then is not.
  writeFileSync(path, `${process.ppid} 1`);
  assert.equal(await withLock(path, async () => "in"), "in");
});

test("a lock that is no lock is recovered", async (context) => {
  const path = join(smallTree(context, {}), "lock");
  writeFileSync(path, "");
  assert.equal(await withLock(path, async () => "in"), "in");
});

test("who waits says for whom, once, and gives up in the end", async (context) => {
  const path = join(smallTree(context, {}), "lock");
  const owner = otherProcess(
    context,
    path,
    'await withLock(path, async () => { console.log("held"); await delay(60_000); });',
  );
  await once(owner.stdout, "data");
  /** @type {number[]} */
  const waitedFor = [];
  await assert.rejects(
    withLock(path, async () => assert.fail("two owners"), {
      waitMs: 250,
      onWait: (pid) => waitedFor.push(pid),
    }),
    /has held .* for too long/,
  );
  assert.deepEqual(waitedFor, [owner.pid]);
});

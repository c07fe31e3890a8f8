import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { ancestors, findMarked } from "./find-left-over.mjs";
import { findFault } from "./read-bench.mjs";

const result = {
  case: "layout",
  system: "koala",
  samples: 10,
  p50Us: 1.5,
  p99Us: 2,
  callsPerSecond: 1e6,
  bytesPerSecond: 1e8,
  daemonCpuSeconds: null,
};

test("findFault accepts results, a line each", () => {
  const line = JSON.stringify(result);
  assert.equal(findFault(`${line}\n${line}\n`), undefined);
  assert.equal(findFault(`${JSON.stringify({ ...result, p99Us: null })}\n`), undefined);
});

test("findFault names the line that is no result", () => {
  const line = JSON.stringify(result);
  assert.match(findFault("") ?? "", /printed nothing/);
  assert.match(
    findFault(`${line}\nwarming up\n`) ?? "",
    /^line 2 .* is no JSON object: warming up/,
  );
  assert.match(findFault("17\n") ?? "", /is no JSON object/);
  const { samples: _, ...rest } = result;
  assert.match(findFault(JSON.stringify(rest)) ?? "", /has no proper "samples"/);
  assert.match(findFault(JSON.stringify({ ...result, system: 1 })) ?? "", /no proper "system"/);
});

test("findMarked finds a process by the mark it inherited, unless it is spared", async (context) => {
  const mark = `test-${process.pid}-${Date.now()}`;
  const program = 'process.stdout.write("up"); setInterval(() => {}, 1000);';
  const child = spawn(process.execPath, ["-e", program], {
    env: { ...process.env, KOALA_CI_RUN: mark },
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const found = findMarked(mark, ancestors());
  assert.deepEqual(
    found.map(({ pid }) => pid),
    [child.pid],
  );
  assert.match(found[0]?.command ?? "", /setInterval/);
  assert.deepEqual(findMarked(mark, new Set([child.pid ?? 0])), []);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.deepEqual(findMarked(mark, new Set()), []);
});

test("ancestors are this process and the one that started it", () => {
  const found = ancestors();
  assert.ok(found.has(process.pid));
  assert.ok(found.has(process.ppid));
});

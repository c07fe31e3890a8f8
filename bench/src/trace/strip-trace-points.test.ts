import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { stripTracePoints } from "./strip-trace-points.ts";

const noted = /tracePoints\.note/;

/** Of the compiled modules of a package. */
const folderOf = (name: string): URL => new URL("./", import.meta.resolve(name));

test("stripTracePoints takes statements out and keeps lines", () => {
  const source = "a();\nif (tracePoints !== null)\n    tracePoints.note(P, f(x));\nb();\n";
  assert.equal(stripTracePoints(source), "a();\n;\n    \nb();\n");
});

test("stripTracePoints finds every trace point of apps and daemons", () => {
  for (const name of ["@koala/daemon/main", "@koala/mrpc"]) {
    const folder = fileURLToPath(folderOf(name));
    const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".js"))
      .map((path) => readFileSync(`${folder}/${path}`, "utf8"))
      .filter((source) => noted.test(source));
    assert.ok(sources.length >= 2, `${sources.length} modules of ${name} note trace points`);
    for (const source of sources) assert.doesNotMatch(stripTracePoints(source), noted);
  }
});

test("a program with the preload has no trace points in its modules", () => {
  const outbox = new URL("mesh/slot-outbox.js", folderOf("@koala/mrpc")).href;
  const program = `import { SlotOutbox } from ${JSON.stringify(outbox)}; console.log(SlotOutbox.toString());`;
  const run = (...options: string[]): string =>
    execFileSync(process.execPath, [...options, "--input-type=module", "--eval", program], {
      encoding: "utf8",
    });
  assert.match(run(), noted);
  const preload = new URL("without-trace-points.js", import.meta.url).href;
  assert.doesNotMatch(run("--import", preload), noted);
});

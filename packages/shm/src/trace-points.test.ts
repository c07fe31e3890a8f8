import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { monotonicMicros } from "@koala/native";
import { readTraceFile, TracePoint, TracePoints, tracePoints } from "./trace-points.ts";

function inFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "koala-trace-"));
  try {
    run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function fileIn(folder: string): string {
  const names = readdirSync(folder);
  assert.equal(names.length, 1);
  return join(folder, names[0]!);
}

test("notes come back in order, with their ids and times of the monotonic clock", () => {
  inFolder((folder) => {
    const trace = new TracePoints(folder);
    const before = monotonicMicros();
    trace.note(TracePoint.CALL, 0);
    trace.note(TracePoint.SUBMITTED, 4_000_000_000);
    const after = monotonicMicros();
    const { count, notes } = readTraceFile(fileIn(folder));
    assert.equal(count, 2);
    assert.deepEqual(
      notes.map(({ point, id }) => [point, id]),
      [
        [TracePoint.CALL, 0],
        [TracePoint.SUBMITTED, 4_000_000_000],
      ],
    );
    const [first, second] = notes.map(({ micros }) => micros);
    assert.ok(before <= first! && first! <= second! && second! <= after);
  });
});

test("the newest notes are kept, and all are counted", () => {
  inFolder((folder) => {
    const trace = new TracePoints(folder);
    const made = 70_000;
    for (let id = 0; id < made; id++) trace.note(TracePoint.TAKEN, id);
    const { count, notes } = readTraceFile(fileIn(folder));
    assert.equal(count, made);
    assert.equal(notes.length, 65_536);
    assert.equal(notes[0]!.id, made - 65_536);
    assert.equal(notes.at(-1)!.id, made - 1);
  });
});

test("nothing is noted, and no file made, unless KOALA_TRACE asks for it", () => {
  assert.equal(tracePoints, null);
  inFolder((folder) => {
    new TracePoints(folder);
    assert.deepEqual(readdirSync(folder), []);
  });
});

test("what a process that was killed has noted can be read", () => {
  inFolder((folder) => {
    const index = new URL("./index.js", import.meta.url).href;
    const program = `import { TracePoint, tracePoints } from ${JSON.stringify(index)};
      tracePoints.note(TracePoint.ARRIVED, 7);
      process.kill(process.pid, "SIGKILL");`;
    const args = ["--input-type=module", "--eval", program];
    spawnSync(process.execPath, args, { env: { ...process.env, KOALA_TRACE: folder } });
    assert.deepEqual(
      readTraceFile(fileIn(folder)).notes.map(({ point, id }) => [point, id]),
      [[TracePoint.ARRIVED, 7]],
    );
  });
});

test("a folder that is not there, and a file of something else, are said", () => {
  inFolder((folder) => {
    const missing = join(folder, "missing");
    const trace = new TracePoints(missing);
    assert.throws(() => trace.note(TracePoint.CALL, 0), { code: "ERR_SHM_TRACE" });
    assert.equal(existsSync(missing), false);
    const other = join(folder, "other.trace");
    writeFileSync(other, "12345678");
    assert.throws(() => readTraceFile(other), { code: "ERR_SHM_TRACE" });
  });
});

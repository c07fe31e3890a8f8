import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { LineSink } from "./line-sink.ts";

const directory = mkdtempSync(join(tmpdir(), "koala-sink-"));
after(() => rmSync(directory, { recursive: true }));

function sinkOf(fd: number, waitingBytesMax = 1024 * 1024): LineSink {
  const sink: LineSink = new LineSink({
    fd,
    waitingBytesMax,
    promptly: true,
    onDropped: (lines) => sink.write(`dropped ${lines}\n`),
  });
  return sink;
}

/** Both ends of a named pipe, neither of which waits. */
function openPipe(name: string): { reader: number; writer: number } {
  const path = join(directory, name);
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return { reader, writer };
}

/** Everything that is in the pipe now. */
function drain(reader: number): string {
  const bytes = Buffer.alloc(64 * 1024);
  let text = "";
  for (;;) {
    try {
      const count = readSync(reader, bytes);
      if (count === 0) return text;
      text += bytes.toString("latin1", 0, count);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
      return text;
    }
  }
}

describe("LineSink", () => {
  it("writes lines in order, and all of them before it is closed", async () => {
    const path = join(directory, "order.log");
    const sink = sinkOf(openSync(path, "a"));
    const lines = Array.from({ length: 5000 }, (_, index) => `line ${index} é\n`);
    for (const line of lines) sink.write(line);
    await sink.close(5000);
    assert.equal(readFileSync(path, "utf8"), lines.join(""));
    assert.equal(sink.dropped, 0);
    sink.write("late\n");
    assert.equal(sink.dropped, 1);
  });

  it("drops what does not fit, counts it, and says so when there is room again", async () => {
    const { reader, writer } = openPipe("full");
    const sink = sinkOf(writer, 256 * 1024);
    const line = `${"x".repeat(999)}\n`;
    for (let index = 0; index < 1000; index++) sink.write(line);
    assert.ok(sink.dropped > 500 && sink.dropped < 1000, `dropped ${sink.dropped}`);
    const { dropped } = sink;

    assert.equal(await sink.flush(60), false, "nobody reads, so nothing can be flushed");
    let text = "";
    const deadline = Date.now() + 10_000;
    while (!text.includes("dropped")) {
      assert.ok(Date.now() < deadline, `no report within the deadline, ${text.length} bytes`);
      text += drain(reader);
      await sink.flush(20);
    }
    await sink.close(1000);
    text += drain(reader);
    const whole = text.split("\n").filter((part) => part === line.trimEnd()).length;
    assert.equal(whole, 1000 - dropped);
    assert.ok(text.includes(`dropped ${dropped}\n`));
    closeSync(reader);
  });

  it("gives up at the deadline when nobody reads", async () => {
    const { reader, writer } = openPipe("stuck");
    const sink = sinkOf(writer);
    for (let index = 0; index < 200; index++) sink.write(`${"y".repeat(999)}\n`);
    await sink.close(20);
    assert.ok(sink.dropped > 0);
    closeSync(reader);
  });

  it("ends with its reader", async () => {
    const { reader, writer } = openPipe("gone");
    const sink = sinkOf(writer);
    closeSync(reader);
    sink.write("one\n");
    assert.equal(await sink.flush(5000), true);
    sink.write("two\n");
    assert.equal(sink.dropped, 2);
    await sink.close(1000);
  });

  it("survives a full disk without running in circles", async (context) => {
    const sink = sinkOf(openSync("/dev/full", "a"));
    context.after(() => sink.close(0));
    sink.write("one\n");
    assert.equal(await sink.flush(5000), true);
    assert.equal(sink.dropped, 1);

    const path = join(directory, "room.log");
    sink.replace(openSync(path, "a"), true);
    sink.write("two\n");
    await sink.close(5000);
    assert.equal(readFileSync(path, "utf8"), "two\ndropped 1\n");
  });

  it("changes files between lines, with nothing lost", async () => {
    const [first, second] = [join(directory, "first.log"), join(directory, "second.log")];
    const sink = sinkOf(openSync(first, "a"));
    for (let index = 0; index < 1000; index++) {
      if (index === 500) sink.replace(openSync(second, "a"), true);
      sink.write(`${index}\n`);
    }
    await sink.close(5000);
    const [before, behind] = [readFileSync(first, "utf8"), readFileSync(second, "utf8")];
    assert.equal(
      before + behind,
      Array.from({ length: 1000 }, (_, index) => `${index}\n`).join(""),
    );
    assert.ok(before.endsWith("\n") && behind.length > 0);
  });

  it("ends a line in the file where it began", async () => {
    const { reader, writer } = openPipe("torn");
    const sink = sinkOf(writer);
    // Lines of a length that no pipe buffer is a multiple of, so that one is torn when it is full.
    const lines = Array.from({ length: 300 }, (_, index) => `${index} ${"z".repeat(991)}\n`);
    for (const line of lines) sink.write(line);
    assert.equal(await sink.flush(60), false, "nobody reads, so nothing can be flushed");

    const path = join(directory, "torn.log");
    sink.replace(openSync(path, "a"), true);
    let text = "";
    const deadline = Date.now() + 10_000;
    do {
      assert.ok(Date.now() < deadline, "not flushed within the deadline");
      text += drain(reader);
    } while (!(await sink.flush(20)));
    await sink.close(1000);
    text += drain(reader);
    const rest = readFileSync(path, "utf8");
    assert.ok(text.endsWith("\n") && rest.length > 0);
    assert.equal(text + rest, lines.join(""));
    closeSync(reader);
  });

  it("has room for new lines once old ones are written", async () => {
    const path = join(directory, "room-again.log");
    const sink = sinkOf(openSync(path, "a"), 100);
    for (let round = 0; round < 10; round++) {
      sink.write(`${"a".repeat(59)}\n`);
      assert.equal(await sink.flush(5000), true);
    }
    assert.equal(sink.dropped, 0);
    await sink.close(1000);
  });
});

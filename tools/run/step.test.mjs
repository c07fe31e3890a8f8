import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { step } from "./step.mjs";

/** A terminal that keeps what is written to it. */
function recorder() {
  /** @type {string[]} */
  const texts = [];
  return { texts, write: (/** @type {string} */ text) => texts.push(text) };
}

test("a step that did something is one line with its duration", async () => {
  const { texts, write } = recorder();
  await step("compile", async () => "12 files", { write });
  assert.match(texts.join(""), /^koala: compile \.\.\. 12 files, \d+\.\d s\n$/);
});

test("a step that had nothing to do is silent", async () => {
  const { texts, write } = recorder();
  await step("compile", async () => undefined, { write, quietMs: 60_000 });
  assert.deepEqual(texts, []);
});

test("a step that takes long shows its name before it ends", async () => {
  const { texts, write } = recorder();
  const shown = new EventEmitter();
  const isShown = once(shown, "shown");
  await step(
    "compile",
    async () => {
      // Ends only when the name is there: without it, the runner's deadline ends this test.
      await isShown;
      return undefined;
    },
    {
      write: (text) => {
        write(text);
        shown.emit("shown");
      },
      quietMs: 0,
    },
  );
  assert.match(texts.join(""), /^koala: compile \.\.\. up to date, \d+\.\d s\n$/);
});

test("a step that fails says so and passes the error on", async () => {
  const { texts, write } = recorder();
  const failure = new Error("no");
  await assert.rejects(
    step("compile", () => Promise.reject(failure), { write }),
    failure,
  );
  assert.match(texts.join(""), /^koala: compile \.\.\. failed after \d+\.\d s\n$/);
});

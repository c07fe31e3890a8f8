import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AreaLog } from "../log/index.ts";
import type { Attachment } from "./attachment.ts";
import { LastWords } from "./last-words.ts";

/** A policy that was detached, and how often its control part was closed. */
function detached(
  id: number,
  outlivesCalls = true,
): { attachment: Attachment; closed: () => number } {
  let count = 0;
  const control = { outlivesCalls, close: () => void count++ };
  return { attachment: { id, control } as unknown as Attachment, closed: () => count };
}

const log = { warn: () => {} } as unknown as AreaLog;

describe("LastWords", () => {
  it("keeps a part until the instances of all runtimes have ended", () => {
    const words = new LastWords(log);
    const { attachment, closed } = detached(7);
    words.begin();
    assert.equal(words.keep(attachment, [0, 2]), true);
    assert.equal(words.find(7), attachment);
    words.onEnded(7, 0);
    words.onEnded(8, 2);
    assert.equal(closed(), 0);
    words.onEnded(7, 2);
    assert.equal(closed(), 1);
    assert.equal(words.find(7), undefined);
  });

  it("keeps none that need not be kept", () => {
    const words = new LastWords(log);
    words.begin();
    assert.equal(words.keep(detached(1, false).attachment, [0]), false);
    assert.equal(words.keep(detached(2).attachment, []), false);
    words.onEnded(3, 0);
    words.onEnded(3, 1);
    assert.equal(words.keep(detached(3).attachment, [0, 1]), false, "they have ended meanwhile");
  });

  it("waits for no runtime that is gone, and for nobody at the end", async () => {
    const words = new LastWords(log);
    const [one, two] = [detached(1), detached(2)];
    words.begin();
    words.keep(one.attachment, [0]);
    words.keep(two.attachment, [0, 1]);
    words.lost(0);
    assert.deepEqual([one.closed(), two.closed()], [1, 0]);
    await words.close();
    assert.deepEqual([one.closed(), two.closed()], [1, 1]);
  });
});

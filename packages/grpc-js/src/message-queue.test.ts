import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageQueue } from "./message-queue.ts";

/** Too large for two of them to be taken ahead. */
const message = (number: number): Uint8Array => new Uint8Array(10_000).fill(number);

async function tick(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe("MessageQueue", () => {
  it("calls back when a message has been taken, not before", async () => {
    const queue = new MessageQueue();
    let taken: number[] = [];
    queue.push(message(0));
    for (const number of [1, 2]) queue.push(message(number), () => taken.push(number));
    await queue.next();
    await tick();
    assert.deepEqual(taken, []);
    assert.deepEqual(await queue.next(), { value: message(1), done: false });
    await tick();
    assert.deepEqual(taken, [1]);
    assert.deepEqual(await queue.next(), { value: message(2), done: false });
    await tick();
    assert.deepEqual(taken, [1, 2]);
    taken = [];
    const waiting = queue.next();
    queue.push(message(3), () => taken.push(3));
    assert.deepEqual(taken, [3]);
    assert.deepEqual(await waiting, { value: message(3), done: false });
  });

  it("takes small messages ahead, up to a limit", async () => {
    const queue = new MessageQueue();
    let called = 0;
    for (let index = 0; index < 100; index++) queue.push(new Uint8Array(960), () => called++);
    assert.equal(called, 16);
    for (let index = 0; index < 100; index++) await queue.next();
    await tick();
    assert.equal(called, 100);
  });

  it("ends behind the messages that are there, well or with an error", async () => {
    for (const error of [null, new Error("broken")]) {
      const queue = new MessageQueue();
      queue.push(message(1));
      if (error === null) queue.end();
      else queue.fail(error);
      assert.equal((await queue.next()).done, false);
      if (error === null) assert.equal((await queue.next()).done, true);
      else await assert.rejects(queue.next(), error);
      assert.equal((await queue.next()).done, true);
    }
  });

  it("tells a reader that waits", async () => {
    const ended = new MessageQueue();
    const failed = new MessageQueue();
    const [end, failure] = [ended.next(), failed.next()];
    ended.end();
    failed.fail(new Error("broken"));
    assert.equal((await end).done, true);
    await assert.rejects(failure, /broken/);
  });

  it("calls back for messages that nobody will take", async () => {
    const queue = new MessageQueue();
    let called = 0;
    queue.push(message(0));
    queue.push(message(1), () => called++);
    assert.equal((await queue.return()).done, true);
    queue.push(message(2), () => called++);
    await tick();
    assert.equal(called, 2);
    assert.equal((await queue.next()).done, true);
  });
});

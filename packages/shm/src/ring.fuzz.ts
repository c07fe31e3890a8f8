/**
 * The ring against a plain queue.
 *
 * 1. A ring of random size begins at a random position, often just below 2^31 or 2^32.
 * 2. Random steps: reserve and write, publish, read, unread, release, ask for wake-ups. The model keeps
 *    what was reserved, published, read and released, and says what each call must return.
 * 3. In half of the rounds one side turns hostile at some step and writes random positions. From then on
 *    nothing is asked of the contents: no call throws, each index lies in the slots, `corrupt` stays, and a
 *    corrupt end gives out nothing more.
 */
import assert from "node:assert/strict";
import { fuzzMain, type Prng } from "@koala/testing";
import { openMemory } from "./memory.ts";
import {
  RING_HEAD_OFFSET,
  RING_HEADER_BYTES,
  RING_SLOT_BYTES,
  RING_TAIL_OFFSET,
  RingConsumer,
  RingProducer,
  ringBytes,
} from "./ring.ts";

const stepsPerRound = 3000;

/** One round of steps 1 to 3. */
export function ringRound(prng: Prng): void {
  const slotCount = 2 ** prng.between(1, 6);
  const offset = 64 * prng.below(4);
  const memory = openMemory(new ArrayBuffer(offset + ringBytes(slotCount)));
  const words = memory.i32;
  const tailWord = (offset + RING_TAIL_OFFSET) >> 2;
  const headWord = (offset + RING_HEAD_OFFSET) >> 2;
  const firstWord = (offset + RING_HEADER_BYTES) >> 2;
  const start = (prng.pick([0, 0x8000_0000, 0x1_0000_0000, prng.next()]) - prng.below(100)) | 0;
  words[tailWord] = start;
  words[headWord] = start;
  const producer = new RingProducer(memory, offset, slotCount);
  const consumer = new RingConsumer(memory, offset, slotCount);
  const hostileFrom = prng.chance(0.5) ? prng.below(stepsPerRound) : stepsPerRound;

  // Positions of the model, counted from 0: released <= read <= published <= reserved.
  let released = 0;
  let read = 0;
  let published = 0;
  let reserved = 0;
  const values: number[] = [];

  for (let step = 0; step < hostileFrom; step++) {
    switch (prng.below(7)) {
      case 0:
      case 1: {
        const index = producer.reserve();
        assert.equal(index === -1, reserved - released === slotCount, "reserve");
        if (index === -1) break;
        values[reserved] = prng.next() | 0;
        words[index] = values[reserved]!;
        words[index + 15] = ~values[reserved]!;
        reserved++;
        break;
      }
      case 2:
        producer.publish();
        published = reserved;
        break;
      case 3:
      case 4: {
        assert.equal(consumer.hasNext(), read < published, "hasNext");
        const index = consumer.next();
        assert.equal(index === -1, read === published, "next");
        if (index === -1) break;
        assert.equal(words[index], values[read]);
        assert.equal(words[index + 15], ~values[read]!);
        read++;
        break;
      }
      case 5:
        if (read > released && prng.chance(0.3)) {
          consumer.unread();
          read--;
        }
        consumer.release();
        released = read;
        break;
      default:
        assert.equal(producer.free(), slotCount - (reserved - released), "free");
        assert.equal(producer.waitForSpace(), reserved - released === slotCount, "waitForSpace");
        assert.equal(consumer.sleep(), read === published, "sleep");
        if (read === published) {
          assert.equal(producer.takeSleeper(), true);
          assert.equal(producer.takeSleeper(), false);
        }
    }
  }
  assert.ok(!producer.corrupt && !consumer.corrupt);

  let wasProducerCorrupt = false;
  let wasConsumerCorrupt = false;
  for (let step = hostileFrom; step < stepsPerRound; step++) {
    const victimWord = prng.chance(0.5) ? tailWord : headWord;
    if (prng.chance(0.2)) words[victimWord] = prng.next() | 0;
    if (prng.chance(0.2)) words[victimWord]! += prng.between(-3, 3);
    for (const index of [producer.reserve(), consumer.next()]) {
      if (index === -1) continue;
      assert.equal((index - firstWord) % (RING_SLOT_BYTES / 4), 0);
      assert.ok(index >= firstWord && index < firstWord + (slotCount * RING_SLOT_BYTES) / 4);
    }
    if (wasProducerCorrupt) {
      assert.ok(producer.corrupt);
      assert.equal(producer.reserve(), -1);
      assert.equal(producer.free(), 0);
    }
    if (wasConsumerCorrupt) assert.ok(consumer.corrupt);
    wasProducerCorrupt = producer.corrupt;
    wasConsumerCorrupt = consumer.corrupt;
    if (prng.chance(0.3)) producer.publish();
    if (prng.chance(0.3)) consumer.release();
  }
}

await fuzzMain(import.meta.url, "ring", ringRound);

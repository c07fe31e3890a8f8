// The worker thread of the stress tests runs this file, too.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import {
  closeFd,
  doorbellClear,
  doorbellCreate,
  doorbellRing,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerWait,
} from "@koala/native";
import { Prng, runRounds } from "@koala/testing";
import { type Memory, openMemory } from "./memory.ts";
import { closeRegion, createRegion, mapRegion } from "./region.ts";
import { ringRound } from "./ring.fuzz.ts";
import {
  RING_HEAD_OFFSET,
  RING_HEADER_BYTES,
  RING_TAIL_OFFSET,
  RingConsumer,
  RingProducer,
  ringBytes,
} from "./ring.ts";

const tailWord = RING_TAIL_OFFSET / 4;
const headWord = RING_HEAD_OFFSET / 4;

function memoryFor(slotCount: number, start = 0): Memory {
  const memory = openMemory(new ArrayBuffer(ringBytes(slotCount)));
  memory.i32[tailWord] = start;
  memory.i32[headWord] = start;
  return memory;
}

function ringOf(slotCount: number, start = 0): [Memory, RingProducer, RingConsumer] {
  const memory = memoryFor(slotCount, start);
  return [memory, new RingProducer(memory, 0, slotCount), new RingConsumer(memory, 0, slotCount)];
}

/** What a stress test's producer needs to know. */
interface StressPlan {
  fd: number;
  bytes: number;
  slotCount: number;
  messages: number;
  /** Rung by the producer, waited for by the consumer. */
  dataBell: number;
  /** The other way round. */
  spaceBell: number;
  seed: number;
}

/** Blocks until the doorbell is rung; a wake-up that got lost ends the wait after the deadline. */
class Sleeper {
  private readonly poller = pollerCreate();
  private readonly out = new Int32Array(2);
  private readonly bell: number;
  private readonly deadlineMicros = 20_000_000;

  constructor(bell: number) {
    this.bell = bell;
    pollerAdd(this.poller, bell, 0, POLL_IN);
  }

  sleep(who: string): void {
    const count = pollerWait(this.poller, this.out, 1, this.deadlineMicros);
    if (count !== 1) throw new Error(`the ${who} was never woken (${count})`);
    doorbellClear(this.bell);
  }

  close(): void {
    closeFd(this.poller);
  }
}

/** Sends numbers from 0, sleeping whenever the ring is full. */
function produce(plan: StressPlan): void {
  const memory = mapRegion(plan.fd, plan.bytes, true);
  const producer = new RingProducer(memory, 0, plan.slotCount);
  const sleeper = new Sleeper(plan.spaceBell);
  const prng = new Prng(plan.seed);
  const flush = () => {
    producer.publish();
    if (producer.takeSleeper()) doorbellRing(plan.dataBell);
  };
  for (let message = 0; message < plan.messages; message++) {
    let index = producer.reserve();
    while (index === -1) {
      flush();
      if (producer.waitForSpace()) sleeper.sleep("producer");
      index = producer.reserve();
    }
    for (let word = 0; word < 16; word++) memory.i32[index + word] = message ^ (word << 27);
    if (prng.chance(0.2)) flush();
  }
  flush();
  sleeper.close();
  closeRegion(memory);
}

/** Receives and checks all numbers, sleeping whenever the ring is empty; returns how often it slept. */
function consume(memory: Memory, plan: StressPlan): number {
  const consumer = new RingConsumer(memory, 0, plan.slotCount);
  const sleeper = new Sleeper(plan.dataBell);
  const prng = new Prng(plan.seed + 1);
  const words = memory.i32;
  let sleeps = 0;
  const release = () => {
    if (consumer.release()) doorbellRing(plan.spaceBell);
  };
  for (let message = 0; message < plan.messages; message++) {
    let index = consumer.next();
    while (index === -1) {
      assert.ok(!consumer.corrupt);
      release();
      if (consumer.sleep()) {
        sleeps++;
        sleeper.sleep("consumer");
        consumer.awake();
      }
      index = consumer.next();
    }
    for (let word = 0; word < 16; word++) {
      if (words[index + word] === (message ^ (word << 27))) continue;
      assert.fail(`message ${message}, word ${word}: ${words[index + word]}`);
    }
    if (prng.chance(0.2)) release();
  }
  release();
  sleeper.close();
  return sleeps;
}

async function stress(slotCount: number, messages: number, start: number): Promise<void> {
  const bytes = Math.ceil(ringBytes(slotCount) / 4096) * 4096;
  const region = createRegion({ name: "ring-test", bytes, appMayWrite: true });
  region.memory.i32[tailWord] = start;
  region.memory.i32[headWord] = start;
  const plan: StressPlan = {
    fd: region.fd,
    bytes,
    slotCount,
    messages,
    dataBell: doorbellCreate(),
    spaceBell: doorbellCreate(),
    seed: messages,
  };
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: plan });
  const exit = once(worker, "exit");
  try {
    const sleeps = consume(region.memory, plan);
    assert.ok(sleeps > 0, "the sleep protocol was used");
  } finally {
    const [code] = await exit;
    assert.equal(code, 0);
    closeRegion(region.memory);
    for (const fd of [region.fd, plan.dataBell, plan.spaceBell]) closeFd(fd);
  }
}

function register(): void {
  describe("RingProducer and RingConsumer", () => {
    it("pass slots in order, first after publish", () => {
      const [memory, producer, consumer] = ringOf(4);
      const index = producer.reserve();
      assert.equal(index, RING_HEADER_BYTES / 4);
      memory.i32[index] = 77;
      assert.equal(consumer.next(), -1);
      assert.ok(!consumer.hasNext());
      producer.publish();
      assert.ok(consumer.hasNext());
      assert.equal(consumer.next(), index);
      assert.equal(consumer.next(), -1);
    });

    it("are full at slotCount slots, until the consumer releases", () => {
      const [, producer, consumer] = ringOf(4);
      for (let i = 0; i < 4; i++) assert.notEqual(producer.reserve(), -1);
      assert.equal(producer.reserve(), -1);
      producer.publish();
      consumer.next();
      consumer.next();
      assert.equal(producer.free(), 0, "read is not released");
      consumer.release();
      assert.equal(producer.free(), 2);
      assert.notEqual(producer.reserve(), -1);
    });

    it("let the consumer put the last slot back", () => {
      const [, producer, consumer] = ringOf(2);
      const index = producer.reserve();
      producer.publish();
      consumer.next();
      consumer.unread();
      assert.ok(!consumer.release());
      assert.equal(consumer.next(), index);
    });

    it("wake a consumer only if it sleeps, once", () => {
      const [, producer, consumer] = ringOf(4);
      producer.reserve();
      producer.publish();
      assert.ok(!producer.takeSleeper());
      assert.ok(!consumer.sleep(), "there is work");
      assert.ok(!producer.takeSleeper(), "the request was taken back");
      consumer.next();
      assert.ok(consumer.sleep());
      producer.reserve();
      producer.publish();
      assert.ok(producer.takeSleeper());
      assert.ok(!producer.takeSleeper());
      consumer.next();
      assert.ok(consumer.sleep());
      consumer.awake();
      assert.ok(!producer.takeSleeper());
    });

    it("wake a producer only if it waits for space, once", () => {
      const [, producer, consumer] = ringOf(2);
      assert.ok(!producer.waitForSpace(), "there is space");
      producer.reserve();
      producer.reserve();
      producer.publish();
      assert.ok(producer.waitForSpace());
      consumer.next();
      assert.ok(consumer.release());
      consumer.next();
      assert.ok(!consumer.release());
      assert.ok(!consumer.release(), "nothing new");
    });

    for (const start of [0, 0x7fff_fffc, -4, 0x7fff_ffff, -1]) {
      it(`count on past the end of 32 bits from ${start >>> 0}`, () => {
        const [memory, producer, consumer] = ringOf(4, start);
        for (let round = 0; round < 5; round++) {
          for (let i = 0; i < 4; i++) memory.i32[producer.reserve()] = 10 * round + i;
          assert.equal(producer.reserve(), -1);
          producer.publish();
          for (let i = 0; i < 4; i++) assert.equal(memory.i32[consumer.next()], 10 * round + i);
          assert.equal(consumer.next(), -1);
          assert.ok(consumer.sleep());
          consumer.release();
        }
        assert.ok(!producer.corrupt && !consumer.corrupt);
        assert.equal(memory.i32[tailWord], (start + 20) | 0);
      });
    }

    for (const tail of [-1, 5, 0x7fff_ffff, -0x8000_0000]) {
      it(`a consumer refuses a tail of ${tail}`, () => {
        const [memory, producer, consumer] = ringOf(4);
        memory.i32[tailWord] = tail;
        assert.equal(consumer.next(), -1);
        assert.ok(consumer.corrupt);
        memory.i32[tailWord] = 1;
        assert.equal(consumer.next(), -1, "it stays so");
        assert.ok(!producer.corrupt);
      });
    }

    for (const head of [-1, 3, 0x7fff_ffff, -0x8000_0000]) {
      it(`a producer refuses a head of ${head}`, () => {
        const [memory, producer] = ringOf(4);
        producer.reserve();
        producer.reserve();
        producer.publish();
        memory.i32[headWord] = head;
        assert.equal(producer.free(), 0);
        assert.ok(producer.corrupt);
        assert.equal(producer.reserve(), -1, "although there was room");
        memory.i32[headWord] = 0;
        assert.equal(producer.free(), 0, "it stays so");
        assert.equal(producer.reserve(), -1);
      });
    }

    it("a producer refuses a head that goes back, and one past what it has published", () => {
      const [memory, producer, consumer] = ringOf(4);
      for (let i = 0; i < 2; i++) producer.reserve();
      producer.publish();
      consumer.next();
      consumer.next();
      consumer.release();
      assert.equal(producer.free(), 4);
      memory.i32[headWord] = 1;
      producer.free();
      assert.ok(producer.corrupt);

      const [other, ahead] = ringOf(4);
      ahead.reserve();
      other.i32[headWord] = 1;
      ahead.free();
      assert.ok(ahead.corrupt, "the reserved slot would be given out again");
    });

    it("a producer refuses positions that were impossible from the start", () => {
      for (const head of [1, -5, 0x4000_0000]) {
        const memory = memoryFor(4);
        memory.i32[headWord] = head;
        const producer = new RingProducer(memory, 0, 4);
        assert.ok(producer.corrupt);
        assert.equal(producer.reserve(), -1);
      }
    });

    it("refuse shapes that do not fit", () => {
      const memory = memoryFor(4);
      assert.throws(() => new RingProducer(memory, 0, 3), /power of two/);
      assert.throws(() => new RingConsumer(memory, 0, 8), /fits/);
      assert.throws(() => new RingConsumer(memory, 32, 2), /cache line/);
    });

    it("agree with a queue in random use, and survive hostile positions", () =>
      runRounds(ringRound, 1, 300));
  });

  describe("RingProducer and RingConsumer in two threads", () => {
    // Few slots: both sides sleep all the time. Many slots: they run side by side.
    it("lose no wake-up with 4 slots", () => stress(4, 300_000, 0x7fff_ff00));
    it("lose no message with 256 slots", () => stress(256, 4_000_000, -1000));
  });
}

if (isMainThread) register();
else produce(workerData as StressPlan);

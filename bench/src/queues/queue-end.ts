/** One end of a pair of queues, one in each direction: the same few functions over each kind of queue. */
import { readSync, writeSync } from "node:fs";
import { KoalaError } from "@koala/interface";
import {
  doorbellRing,
  EAGAIN,
  errnoName,
  POLL_EDGE,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerWait,
  socketRead,
  socketWrite,
} from "@koala/native";
import { mapRegion, RingConsumer, RingProducer, ringBytes } from "@koala/shm";
import { ringLinkBytes } from "../systems/ring-region.ts";
import { messageBytes, messageWords, type QueueTask, queueSlots } from "./queue-plan.ts";

/** Threads block in `wait`; nobody looks again and again. */
export interface QueueEnd {
  /** Puts a message in, all of whose words are `word`. There is room: both ends see to it. */
  put(word: number): void;
  /** Makes what was put in visible, and wakes who waits for it. */
  flush(): void;
  /** The first word of the next message; -1 when there is none now. */
  take(): number;
  /** Blocks until there may be something to take; for no longer than a look at the clock takes to be due. */
  wait(): void;
}

/** So long a thread sleeps at most, in case the other one has ended. */
const waitMicros = 200_000;

export function openQueueEnd(task: QueueTask): QueueEnd {
  switch (task.queue) {
    case "ring":
      return ringEnd(task);
    case "atomics":
      return atomicsEnd(task);
    case "message-port":
      throw new KoalaError("ERR_BENCH_QUEUE", "a message port is read by events, not by blocking");
    case "unix-socket":
      return socketEnd(task.parts.sockets[task.end]);
    case "pipe":
      return pipeEnd(task);
  }
}

/** Blocks the thread until a descriptor is ready. */
function waiterFor(fd: number, events: number): () => boolean {
  const poller = pollerCreate();
  pollerAdd(poller, fd, 0, events);
  const found = new Int32Array(2);
  return () => pollerWait(poller, found, 1, waitMicros) > 0;
}

/** Koala's rings, with doorbells as between an app and its daemon. */
function ringEnd({ end, parts }: QueueTask): QueueEnd {
  const memory = mapRegion(parts.region, ringLinkBytes, true);
  const offsets = [0, ringBytes(queueSlots)] as const;
  const output = new RingProducer(memory, offsets[end], queueSlots);
  const input = new RingConsumer(memory, offsets[end === 0 ? 1 : 0], queueSlots);
  const words = memory.i32;
  const otherBell = parts.bells[end === 0 ? 1 : 0];
  const block = waiterFor(parts.bells[end], POLL_IN | POLL_EDGE);
  return {
    put: (word) => {
      const at = output.reserve();
      if (at < 0) throw overrun("ring");
      for (let i = 0; i < messageWords; i++) words[at + i] = word;
    },
    flush: () => {
      input.release();
      output.publish();
      if (output.takeSleeper()) doorbellRing(otherBell);
    },
    take: () => {
      const at = input.next();
      return at < 0 ? -1 : words[at]!;
    },
    wait: () => {
      input.release();
      if (input.sleep()) block();
      input.awake();
    },
  };
}

/** What one builds of `SharedArrayBuffer` and `Atomics` alone: head, tail, slots; `Atomics.wait` on the tail. */
function atomicsEnd({ end, parts }: QueueTask): QueueEnd {
  if (parts.shared === null) {
    throw new KoalaError("ERR_BENCH_QUEUE", "two processes have no memory for Atomics in common");
  }
  const words = new Int32Array(parts.shared);
  const size = 32 + queueSlots * messageWords;
  const own = end * size;
  const other = size - own;
  let tail = 0;
  let head = 0;
  return {
    put: (word) => {
      const at = own + 32 + (tail & (queueSlots - 1)) * messageWords;
      for (let i = 0; i < messageWords; i++) words[at + i] = word;
      tail = (tail + 1) | 0;
    },
    flush: () => {
      Atomics.store(words, own, tail);
      Atomics.notify(words, own);
    },
    take: () => {
      if (Atomics.load(words, other) === head) return -1;
      const word = words[other + 32 + (head & (queueSlots - 1)) * messageWords]!;
      head = (head + 1) | 0;
      return word;
    },
    wait: () => void Atomics.wait(words, other, head, waitMicros / 1000),
  };
}

/** A stream socket of the kernel: what was put in goes with one system call. */
function socketEnd(fd: number): QueueEnd {
  const output = new Int32Array(queueSlots * messageWords);
  const input = new Int32Array(queueSlots * messageWords);
  const block = waiterFor(fd, POLL_IN);
  let filled = 0;
  let head = 0;
  let received = 0;
  const write = (): void => {
    for (let sent = 0; sent < filled; ) {
      const taken = socketWrite(fd, output.buffer, sent, filled - sent);
      // Full: the other end reads, sooner or later.
      if (taken < 0 && taken !== -EAGAIN) throw failed(taken);
      if (taken > 0) sent += taken;
    }
    filled = 0;
  };
  return {
    put: (word) => {
      if (filled === output.byteLength) throw overrun("socket's buffer");
      output.fill(word, filled >> 2, (filled + messageBytes) >> 2);
      filled += messageBytes;
    },
    flush: write,
    take: () => {
      if (received - head < messageBytes) {
        // What is left is part of a message.
        new Uint8Array(input.buffer).copyWithin(0, head, received);
        received -= head;
        head = 0;
        const got = socketRead(fd, input.buffer, received, input.byteLength - received);
        if (got < 0 && got !== -EAGAIN) throw failed(got);
        if (got > 0) received += got;
        if (received < messageBytes) return -1;
      }
      const word = input[head >> 2]!;
      head += messageBytes;
      return word;
    },
    wait: () => void block(),
  };
}

/** Two pipes of the kernel, with Node's own functions: what was put in goes with one system call. */
function pipeEnd({ end, parts }: QueueTask): QueueEnd {
  const writeTo = parts.pipes[end][1];
  const readFrom = parts.pipes[end === 0 ? 1 : 0][0];
  const output = new Int32Array(queueSlots * messageWords);
  const input = new Int32Array(queueSlots * messageWords);
  const block = waiterFor(readFrom, POLL_IN);
  let filled = 0;
  let head = 0;
  let received = 0;
  return {
    put: (word) => {
      if (filled === output.byteLength) throw overrun("pipe's buffer");
      output.fill(word, filled >> 2, (filled + messageBytes) >> 2);
      filled += messageBytes;
    },
    flush: () => {
      // What may be under way is half of what a pipe holds.
      if (filled > 0 && writeSync(writeTo, output, 0, filled) < filled) throw overrun("pipe");
      filled = 0;
    },
    take: () => {
      if (received - head < messageBytes) return -1;
      const word = input[head >> 2]!;
      head += messageBytes;
      return word;
    },
    wait: () => {
      new Uint8Array(input.buffer).copyWithin(0, head, received);
      received -= head;
      head = 0;
      if (block())
        received += readSync(readFrom, input, received, input.byteLength - received, null);
    },
  };
}

function overrun(what: string): KoalaError {
  return new KoalaError("ERR_BENCH_QUEUE", `the ${what} is full: the two ends do not count alike`);
}

function failed(error: number): KoalaError {
  return new KoalaError("ERR_BENCH_QUEUE", `the socket failed: ${errnoName(error)}`);
}

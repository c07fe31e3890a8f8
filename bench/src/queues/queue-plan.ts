/** What two threads, or two processes, that talk through a queue are told. */
import type { MessagePort } from "node:worker_threads";

/** The queues that are compared. */
export const queueNames = ["ring", "atomics", "message-port", "unix-socket", "pipe"] as const;
export type QueueName = (typeof queueNames)[number];

/** A queue, and what its two ends are. */
export interface QueueSubject {
  readonly name: string;
  readonly queue: QueueName;
  readonly ends: "threads" | "processes";
}

function subject(queue: QueueName, ends: QueueSubject["ends"]): QueueSubject {
  return { name: ends === "threads" ? queue : `${queue}-${ends}`, queue, ends };
}

/** What can be measured: memory that only one process has does not go between two of them. */
export const queueSubjects: readonly QueueSubject[] = [
  ...queueNames.map((queue) => subject(queue, "threads")),
  ...(["ring", "unix-socket", "pipe"] as const).map((queue) => subject(queue, "processes")),
];

export const queueModes = ["round-trip", "one-way"] as const;
export type QueueMode = (typeof queueModes)[number];

/** Bytes of a message: a slot of a ring. */
export const messageBytes = 64;
export const messageWords: number = messageBytes / 4;
/** Messages that a queue has room for, and that are under way at most. */
export const queueSlots = 1024;
export const windowMessages = 512;
/** The reader says so often how far it is. */
export const ackMessages = 64;
/** The first word of the last message. */
export const lastWord = -2;

/** What the two ends of a pair have in common; each takes what its kind of queue needs. */
export interface QueueParts {
  /** Ring: a region with two rings, and the doorbells of both ends. */
  readonly region: number;
  readonly bells: readonly [number, number];
  /** Atomics: memory with two queues; null between processes. */
  readonly shared: SharedArrayBuffer | null;
  /** Unix socket: both ends. */
  readonly sockets: readonly [number, number];
  /** For each end the pipe that it writes to, as the end to read from and the end to write to. */
  readonly pipes: readonly [readonly [number, number], readonly [number, number]];
}

/** `workerData` of one end, or the argument of its process. */
export interface QueueTask {
  readonly queue: QueueName;
  readonly mode: QueueMode;
  /** 0: writes first and measures. 1: reads. */
  readonly end: 0 | 1;
  readonly parts: QueueParts;
  /** Null between processes. */
  readonly port: MessagePort | null;
  /** Processors that the thread is tied to; any when empty. */
  readonly cpus: readonly number[];
  readonly seconds: number;
}

/** What the two ends found. */
export interface QueueOutcome {
  /** Messages that came back, or, one way, that arrived. */
  readonly messages: number;
  readonly seconds: number;
  /** Messages that were not the one that was to come. */
  readonly wrong: number;
  /** Round trips, ascending; of the writing end. */
  readonly micros: readonly number[];
}

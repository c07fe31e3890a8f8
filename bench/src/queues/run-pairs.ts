/** Lets pairs of threads, or of processes, talk through queues of their own, all at the same time. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { closeFd, doorbellCreate, doorbellPair, SOCKET_STREAM, unixPair } from "@koala/native";
import { spawnNode } from "@koala/testing";
import { percentile, sum } from "../figures/statistics.ts";
import { createRingRegion } from "../systems/ring-region.ts";
import {
  messageWords,
  type QueueMode,
  type QueueName,
  type QueueOutcome,
  type QueueParts,
  type QueueSubject,
  type QueueTask,
  queueSlots,
} from "./queue-plan.ts";

/** One round. */
export interface PairsCommand {
  readonly queue: QueueName;
  readonly ends: QueueSubject["ends"];
  readonly mode: QueueMode;
  /** For each pair the processors of its two threads; empty lists for any. */
  readonly cpus: readonly (readonly [readonly number[], readonly number[]])[];
  readonly seconds: number;
}

/** What a round came to, all pairs together. */
export interface PairsReply {
  readonly messages: number;
  readonly messagesPerSecond: number;
  /** Messages that were lost, doubled or out of order. */
  readonly wrong: number;
  /** Of round trips. */
  readonly p50Us: number | null;
  readonly p99Us: number | null;
}

export async function runPairs(command: PairsCommand): Promise<PairsReply> {
  const outcomes = await Promise.all(command.cpus.map((cpus) => runPair(command, cpus)));
  const micros = Float64Array.from(outcomes.flatMap((outcome) => outcome.micros)).sort();
  return {
    messages: sum(outcomes.map(({ messages }) => messages)) ?? 0,
    messagesPerSecond: sum(outcomes.map(({ messages, seconds }) => messages / seconds)) ?? 0,
    wrong: sum(outcomes.map(({ wrong }) => wrong)) ?? 0,
    p50Us: percentile(micros, 50),
    p99Us: percentile(micros, 99),
  };
}

async function runPair(
  { queue, ends, mode, seconds }: PairsCommand,
  cpus: readonly [readonly number[], readonly number[]],
): Promise<QueueOutcome> {
  const parts: QueueParts = {
    region: createRingRegion().fd,
    bells: [doorbellCreate(), doorbellCreate()],
    shared: new SharedArrayBuffer(2 * 4 * (32 + queueSlots * messageWords)),
    sockets: unixPair(SOCKET_STREAM),
    pipes: [doorbellPair(), doorbellPair()],
  };
  const isShared = ends === "threads";
  const { port1, port2 } = new MessageChannel();
  const ports = [port1, port2] as const;
  const runEnd = isShared ? runThread : runProcess;
  try {
    const [written, read] = await Promise.all(
      ([0, 1] as const).map((end) =>
        runEnd({ queue, mode, end, parts, port: ports[end], cpus: cpus[end], seconds }, ports[end]),
      ),
    );
    // Those that did not arrive are wrong, too.
    const lost = Math.abs(written!.messages - read!.messages);
    return { ...written!, wrong: written!.wrong + read!.wrong + lost };
  } finally {
    for (const fd of descriptorsOf(parts)) closeFd(fd);
    // Threads have closed those that they were given.
    if (!isShared) port1.close();
  }
}

function descriptorsOf({ region, bells, sockets, pipes }: QueueParts): number[] {
  return [region, ...bells, ...sockets, ...pipes.flat()];
}

async function runThread(task: QueueTask, port: MessagePort): Promise<QueueOutcome> {
  const worker = new Worker(new URL("../programs/queue-worker.js", import.meta.url), {
    workerData: task,
    transferList: [port],
  });
  const ended = once(worker, "exit");
  const [outcome] = (await once(worker, "message")) as [QueueOutcome];
  await ended;
  return outcome;
}

/** What a process may take beside its time, on a busy machine. */
const processDeadlineMs = 20_000;

async function runProcess(task: QueueTask): Promise<QueueOutcome> {
  // It gets all of them, in this order, behind stdin, stdout and stderr.
  const [region, bellA, bellB, socketA, socketB, a, b, c, d] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11,
  ] as const;
  const parts: QueueParts = {
    region,
    bells: [bellA, bellB],
    shared: null,
    sockets: [socketA, socketB],
    pipes: [
      [a, b],
      [c, d],
    ],
  };
  const path = fileURLToPath(new URL("../programs/queue-process.js", import.meta.url));
  const child = spawnNode(path, [JSON.stringify({ ...task, parts, port: null })], {
    fds: descriptorsOf(task.parts),
  });
  try {
    const [line] = await child.line(/^\{.*\}$/, task.seconds * 1000 + processDeadlineMs);
    await child.exit(processDeadlineMs);
    return JSON.parse(line) as QueueOutcome;
  } finally {
    await child.stop();
  }
}

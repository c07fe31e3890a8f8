/** Lets pairs of threads talk through queues of their own, all at the same time. */
import { once } from "node:events";
import { MessageChannel, Worker } from "node:worker_threads";
import { closeFd, doorbellCreate, SOCKET_STREAM, unixPair } from "@koala/native";
import { percentile, sum } from "../statistics.ts";
import { createRingRegion } from "../systems/ring-region.ts";
import {
  messageWords,
  type QueueMode,
  type QueueName,
  type QueueOutcome,
  type QueueParts,
  type QueueTask,
  queueSlots,
} from "./queue-plan.ts";

/** One round. */
export interface PairsCommand {
  readonly queue: QueueName;
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
  { queue, mode, seconds }: PairsCommand,
  cpus: readonly [readonly number[], readonly number[]],
): Promise<QueueOutcome> {
  const parts: QueueParts = {
    region: createRingRegion().fd,
    bells: [doorbellCreate(), doorbellCreate()],
    shared: new SharedArrayBuffer(2 * 4 * (32 + queueSlots * messageWords)),
    sockets: unixPair(SOCKET_STREAM),
  };
  const { port1, port2 } = new MessageChannel();
  const ports = [port1, port2] as const;
  try {
    const [written, read] = await Promise.all(
      ([0, 1] as const).map((end) =>
        runEnd({ queue, mode, end, parts, port: ports[end], cpus: cpus[end], seconds }),
      ),
    );
    // Those that did not arrive are wrong, too.
    const lost = Math.abs(written!.messages - read!.messages);
    return { ...written!, wrong: written!.wrong + read!.wrong + lost };
  } finally {
    for (const fd of [parts.region, ...parts.bells, ...parts.sockets]) closeFd(fd);
  }
}

async function runEnd(task: QueueTask): Promise<QueueOutcome> {
  const worker = new Worker(new URL("../programs/queue-worker.js", import.meta.url), {
    workerData: task,
    transferList: [task.port],
  });
  const ended = once(worker, "exit");
  const [outcome] = (await once(worker, "message")) as [QueueOutcome];
  await ended;
  return outcome;
}

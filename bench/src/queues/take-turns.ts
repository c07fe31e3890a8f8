/** Measures queues that take turns, in rounds, at one point of what is varied. */

import { readTopology } from "@koala/runtime";
import { median, sum } from "../figures/statistics.ts";
import type { Program } from "../processes/program.ts";
import { type Affinity, placesOf } from "./places.ts";
import type { QueueMode, QueueSubject } from "./queue-plan.ts";
import type { PairsCommand, PairsReply } from "./run-pairs.ts";

export interface QueuePoint {
  readonly mode: QueueMode;
  readonly affinity: Affinity;
  readonly pairs: number;
}

export interface QueueRounds {
  readonly rounds: number;
  readonly roundSeconds: number;
  readonly signal?: AbortSignal;
}

/** What is known of one queue. */
export interface QueueFigures {
  readonly name: string;
  /** Of each round, in order. */
  readonly perSecond: readonly number[];
  readonly p50sUs: readonly number[];
  readonly messages: number;
  readonly messagesPerSecond: number | null;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly wrongMessages: number;
}

/** A program that runs pairs is `queues.js`. A sentence when the machine has no such places. */
export async function takeTurns(
  program: Program,
  subjects: readonly QueueSubject[],
  { mode, affinity, pairs }: QueuePoint,
  { rounds, roundSeconds, signal }: QueueRounds,
): Promise<QueueFigures[] | string> {
  const cpus = placesOf(affinity, pairs, readTopology());
  if (typeof cpus === "string") return cpus;
  const replies = subjects.map((): PairsReply[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { queue, ends }] of subjects.entries()) {
      if (signal?.aborted === true) return [];
      const command: PairsCommand = { queue, ends, mode, cpus, seconds: roundSeconds };
      replies[i]!.push((await program.ask(command, roundSeconds * 1000)) as PairsReply);
    }
  }
  return subjects.map(({ name }, i) => figuresOf(name, replies[i]!));
}

function figuresOf(name: string, replies: readonly PairsReply[]): QueueFigures {
  const row = (of: (reply: PairsReply) => number | null): number[] =>
    replies.map(of).filter((value) => value !== null);
  const perSecond = row((reply) => reply.messagesPerSecond);
  const p50sUs = row(({ p50Us }) => p50Us);
  return {
    name,
    perSecond,
    p50sUs,
    messages: sum(row(({ messages }) => messages)) ?? 0,
    messagesPerSecond: median(perSecond),
    p50Us: median(p50sUs),
    p99Us: median(row(({ p99Us }) => p99Us)),
    wrongMessages: sum(row(({ wrong }) => wrong)) ?? 0,
  };
}

/**
 * The program of the thread that tries policies: it has nothing to do with any runtime, so whatever a
 * policy does here, no call waits for it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "@koala/interface";
import type { PolicyDefinition, Side } from "@koala/policy";
import { requireModule } from "../modules/require-module.ts";
import { decode } from "./message-decoder.ts";
import type { RawCall } from "./observe-orders.ts";
import { PolicyReplay, type Replayed } from "./policy-replay.ts";
import { ReplayCall } from "./replay-call.ts";
import { SchemaBook } from "./schema-book.ts";
import type { TryOrder, TryResult } from "./try-orders.ts";

const order = workerData as TryOrder;
const book = new SchemaBook(async (service) => order.schemas[service] ?? []);
parentPort!.postMessage(await run());

async function run(): Promise<TryResult> {
  const notes = new Set<string>();
  const calls: Replayed[] = [];
  const inOrder = [...order.calls].sort((a, b) => a.record.beganMs - b.record.beganMs);
  for (const call of inOrder) {
    const replayed = await replayedOf(call, notes);
    if (replayed !== undefined) calls.push(replayed);
  }
  const replays = order.policies.map((plan) => {
    try {
      const replay = new PolicyReplay(plan, requireModule(plan.path) as PolicyDefinition);
      replay.run(calls);
      if (replay.tried.held > 0) {
        notes.add(
          "calls that a policy holds are denied or let go by it at the times of the recording",
        );
      }
      return replay;
    } catch (error) {
      throw new Error(`the policy ${plan.name} can't be tried: ${messageOf(error)}`);
    }
  });
  return {
    policies: replays.map(({ tried }) => tried),
    verdicts: replays.flatMap(({ verdicts }) => [...verdicts.values()]),
    notes: [...notes],
  };
}

async function replayedOf(call: RawCall, notes: Set<string>): Promise<Replayed | undefined> {
  const { record, requests, replies } = call;
  const [request] = requests;
  const [reply] = replies;
  const known = await book.all(record.service);
  const booked =
    request === undefined ? known[0] : await book.find(request.service, request.schema);
  const method = booked?.schema.methods.find(({ name }) => name === record.method);
  if (method === undefined) {
    notes.add(`calls of ${record.service} were left out: its schema is not known any more`);
    return undefined;
  }
  if (method.kind !== "unary") {
    notes.add(
      `${record.service}/${record.method} is a stream: its messages were not shown to the policies`,
    );
  }
  const replyBook = reply === undefined ? undefined : await book.find(reply.service, reply.schema);
  const { kind } = record.from;
  // As in chains: the daemon of the calling app does the caller's side, that of the serving app the server's.
  const sides: Side[] = [];
  if (kind === "app") sides.push("client");
  if (record.to === null ? kind === "peer" : record.to.kind !== "peer") sides.push("server");
  return {
    sides,
    make: () => {
      const isUnary = method.kind === "unary";
      const first = isUnary && request !== undefined ? decode(request, booked)[0] : undefined;
      const last = isUnary && reply !== undefined ? decode(reply, replyBook)[0] : undefined;
      return new ReplayCall(call, method, first, last);
    },
  };
}

/** One end of a queue: a thread of `queues.js`, which posts what it found when it is done. */
import { parentPort, workerData } from "node:worker_threads";
import { setAffinity } from "@koala/native";
import { answerRoundTrips, makeRoundTrips, receiveAll, sendAll } from "../queues/exchange.ts";
import { exchangeByEvents } from "../queues/port-exchange.ts";
import { openQueueEnd } from "../queues/queue-end.ts";
import type { QueueOutcome, QueueTask } from "../queues/queue-plan.ts";

const task = workerData as QueueTask;
if (task.cpus.length > 0) setAffinity(task.cpus);

function run(): QueueOutcome {
  const queue = openQueueEnd(task);
  if (task.mode === "round-trip") {
    return task.end === 0 ? makeRoundTrips(queue, task.seconds) : answerRoundTrips(queue);
  }
  return task.end === 0 ? sendAll(queue, task.seconds) : receiveAll(queue);
}

parentPort!.postMessage(task.queue === "message-port" ? await exchangeByEvents(task) : run());

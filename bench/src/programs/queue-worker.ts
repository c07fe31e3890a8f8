/** One end of a queue: a thread of `queues.js`, which posts what it found when it is done. */
import { parentPort, workerData } from "node:worker_threads";
import { setAffinity } from "@koala/native";
import { exchange } from "../queues/exchange.ts";
import { exchangeByEvents } from "../queues/port-exchange.ts";
import { openQueueEnd } from "../queues/queue-end.ts";
import type { QueueTask } from "../queues/queue-plan.ts";

const task = workerData as QueueTask;
if (task.cpus.length > 0) setAffinity(task.cpus);
parentPort!.postMessage(
  task.queue === "message-port" && task.port !== null
    ? await exchangeByEvents(task, task.port)
    : exchange(task, openQueueEnd(task)),
);

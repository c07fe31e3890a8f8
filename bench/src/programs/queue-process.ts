/** One end of a queue: a process that `queues.js` has started, which prints what it found when it is done. */
import { setAffinity } from "@koala/native";
import { say } from "../load/obey-commands.ts";
import { exchange } from "../queues/exchange.ts";
import { openQueueEnd } from "../queues/queue-end.ts";
import type { QueueTask } from "../queues/queue-plan.ts";

const task = JSON.parse(process.argv[2] ?? "{}") as QueueTask;
if (task.cpus.length > 0) setAffinity(task.cpus);
say(exchange(task, openQueueEnd(task)));

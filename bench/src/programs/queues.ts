/** Measures queues between threads of this process, on command: a `PairsCommand` a line, a `PairsReply` back. */
import { createInterface } from "node:readline";
import { endLine } from "../load/load-command.ts";
import { say } from "../load/obey-commands.ts";
import { type PairsCommand, runPairs } from "../queues/run-pairs.ts";

say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === endLine) break;
  say(await runPairs(JSON.parse(line) as PairsCommand));
}
process.stdin.destroy();

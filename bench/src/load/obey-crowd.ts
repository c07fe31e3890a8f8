/**
 * The main part of programs that have many connections (`crowd.ts` tells them what to do): `attach` until there
 * are so many, `call` once on each, `busy` calls on some of them all the time, `idle` ends that, `leave` closes all. They
 * collect their garbage before they answer, so that what is left is what connections cost.
 */
import { createInterface } from "node:readline";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { endLine } from "./load-command.ts";
import { say } from "./obey-commands.ts";

export type CrowdCommand =
  | { readonly op: "attach"; readonly count: number }
  | { readonly op: "busy"; readonly count: number; readonly callsPerSecond: number }
  | { readonly op: "call" | "idle" | "leave" };

/** A connection of the library that is measured. */
export interface CrowdMember {
  /** Makes a small call. */
  call(): Promise<void>;
  close(): Promise<void>;
}

/** Connections that are made, or called on, at the same time. */
const together = 16;

/** Says that the program is ready, obeys, and closes all connections when it is told to end. */
export async function obeyCrowd(join: () => Promise<CrowdMember>): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const members: CrowdMember[] = [];
  let timers: NodeJS.Timeout[] = [];
  /** Of calls that nobody waits for; the next answer reports the first of them. */
  let failure: unknown;

  const rest = (): void => {
    timers.forEach(clearInterval);
    timers = [];
  };
  const obey = async (command: CrowdCommand): Promise<void> => {
    switch (command.op) {
      case "attach":
        while (members.length < command.count) {
          const count = Math.min(together, command.count - members.length);
          members.push(...(await Promise.all(Array.from({ length: count }, join))));
        }
        return;
      case "call":
        for (let first = 0; first < members.length; first += together) {
          const some = members.slice(first, first + together);
          await Promise.all(some.map((member) => member.call()));
        }
        return;
      case "busy":
        rest();
        timers = members.slice(0, command.count).map((member) =>
          setInterval(() => {
            member.call().catch((error: unknown) => {
              failure ??= error;
            });
          }, 1000 / command.callsPerSecond),
        );
        return;
      case "idle":
        rest();
        if (failure !== undefined) throw failure;
        return;
      case "leave":
        rest();
        await Promise.all(members.splice(0).map((member) => member.close()));
    }
  };

  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === endLine) break;
    const command = JSON.parse(line) as CrowdCommand;
    const beganMs = performance.now();
    await obey(command);
    const tookMs = performance.now() - beganMs;
    collectGarbage();
    say({ connections: members.length, tookMs });
  }
  process.stdin.destroy();
  rest();
  await Promise.all(members.map((member) => member.close()));
}

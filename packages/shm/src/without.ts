/**
 * Mechanisms that are switched off to measure what each brings (`KOALA_WITHOUT=spinning,batching`). For
 * measurements only: Koala is right without them, and slower. What it costs when all are on, as they are: a look at
 * a module's constant where the mechanism acts.
 */
import { KoalaError } from "@koala/interface";

/** What can be switched off. */
export interface Mechanisms {
  /** Looking for work for a while before a thread sleeps. */
  spinning: boolean;
  /** Making all slots and frames of a burst visible at once, with one doorbell: each has its own instead. */
  batching: boolean;
  /** Giving all frames that wait to a socket at once: each has its own system call instead. */
  bundling: boolean;
  /** Sending large messages from where they lie: they are copied into one buffer first instead. */
  gathering: boolean;
}

/** Reads a list of names with commas in between. */
export function readWithout(list: string): Readonly<Mechanisms> {
  const off: Mechanisms = { spinning: false, batching: false, bundling: false, gathering: false };
  for (const name of list.split(",").map((part) => part.trim())) {
    if (name === "") continue;
    if (!Object.hasOwn(off, name)) {
      throw new KoalaError(
        "ERR_SHM_WITHOUT",
        `KOALA_WITHOUT has "${name}", which can't be switched off; there are: ${Object.keys(off).join(", ")}`,
      );
    }
    off[name as keyof Mechanisms] = true;
  }
  return off;
}

/** True for what this process does without. */
export const without: Readonly<Mechanisms> = readWithout(process.env["KOALA_WITHOUT"] ?? "");

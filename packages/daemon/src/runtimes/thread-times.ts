/** Times of a thread of this process by the kernel's word, also of one that hangs. */
import { readFileSync } from "node:fs";

export interface ThreadTimes {
  /** It has had a processor. */
  readonly ranMs: number;
  /** It was ready to run, and others had the processors. */
  readonly queuedMs: number;
}

/** `thread`: its id for the kernel. Undefined when it has ended, or the kernel keeps no such account. */
export function threadTimes(thread: number): ThreadTimes | undefined {
  if (thread === 0) return undefined;
  try {
    const text = readFileSync(`/proc/self/task/${thread}/schedstat`, "utf8");
    const [ran, queued] = text.split(" ").map(Number);
    return { ranMs: ran! / 1e6, queuedMs: queued! / 1e6 };
  } catch {
    return undefined;
  }
}

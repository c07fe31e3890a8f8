/** Deadlines of grpc-js: a `Date` or milliseconds since 1970, `Infinity` for none. */
import type { Deadline } from "@grpc/grpc-js";

/** Node takes a longer wait for none at all. */
const waitMsMax = 0x7fffffff;

/** Milliseconds from now on, below 0 when it has passed; undefined for one that is too far away to matter. */
export function msLeft(deadline: Deadline): number | undefined {
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  const left = at - Date.now();
  return left > waitMsMax ? undefined : left;
}

/** The one that comes first. */
export function earlier(one: Deadline, other: Deadline): Deadline {
  return Number(one) <= Number(other) ? one : other;
}

/** Descriptors on the event loop. */
import { native } from "./native.ts";

/** What `watch` takes besides the callback. */
export interface WatchOptions {
  /** The descriptor is a doorbell: clear it before the callback, which saves a call. Default false. */
  clear?: boolean;
  /**
   * Descriptors, four at most, to be closed if this thread ends without `unwatch`: one that is terminated closes
   * nothing itself, and whoever is at the other end would wait for it. Default: none.
   */
  owned?: readonly number[];
  /** Whether the watcher keeps the event loop, and so the process, alive. Default true. */
  ref?: boolean;
}

/**
 * Calls back from this thread's event loop whenever `fd` is in one of the states `events` (POLL_IN,
 * POLL_OUT, POLL_RDHUP), as long as it is: the callback gets the states that are true.
 *
 * POLL_ERR means that an error is pending (ask `socketError`) and that the watcher has stopped; end it
 * with `unwatch`. What the callback throws becomes an `uncaughtException`. The descriptor stays the
 * caller's, is made non-blocking, can have one watcher a thread, and must be unwatched before it is closed.
 *
 * Returns a handle for `watchChange`, `watchRef` and `unwatch`, which throw ERR_NATIVE_HANDLE for one
 * that has ended.
 */
export function watch(
  fd: number,
  events: number,
  callback: (events: number) => void,
  options?: WatchOptions,
): number {
  const { clear = false, ref = true, owned = null } = options ?? {};
  return native.watch(fd, events, clear, ref, callback, owned);
}

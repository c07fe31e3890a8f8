/** Ctrl-C and its likes for commands that have something to put right before they end. */

/** Raised at the first signal; a second one ends the program as usual. */
export function takeInterrupts(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => controller.abort());
  }
  return controller.signal;
}

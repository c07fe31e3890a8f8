/**
 * One listener a signal, however many calls share it: a signal with a listener for each call makes Node
 * warn of a leak, and adding a listener costs as much as the rest of a small call.
 */

interface Shared {
  readonly listeners: Set<() => void>;
  readonly onAbort: () => void;
}

const sharedBySignal = new WeakMap<AbortSignal, Shared>();

/** Has `listener` called when the signal is aborted. */
export function addAbortListener(signal: AbortSignal, listener: () => void): void {
  let shared = sharedBySignal.get(signal);
  if (shared === undefined) {
    const listeners = new Set<() => void>();
    // A copy: listeners leave while they are told.
    const onAbort = (): void => {
      for (const each of [...listeners]) each();
    };
    shared = { listeners, onAbort };
    sharedBySignal.set(signal, shared);
  }
  if (shared.listeners.size === 0) signal.addEventListener("abort", shared.onAbort);
  shared.listeners.add(listener);
}

/** Forgets a listener; the last one to go leaves nothing at the signal. */
export function removeAbortListener(signal: AbortSignal, listener: () => void): void {
  const shared = sharedBySignal.get(signal);
  if (shared === undefined || !shared.listeners.delete(listener)) return;
  if (shared.listeners.size === 0) signal.removeEventListener("abort", shared.onAbort);
}

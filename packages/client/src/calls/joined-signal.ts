/**
 * A signal that is aborted with the first of two. `AbortSignal.any` does the same, but in Node 20 each one leaves
 * something behind at a source that lives long, for as long as it lives.
 */
import { addAbortListener, removeAbortListener } from "./abort-listeners.ts";

interface Listening {
  readonly sources: readonly AbortSignal[];
  readonly onAbort: () => void;
}

/** Who listens to a joined signal keeps what aborts it. */
const controllers = new WeakMap<AbortSignal, AbortController>();
const forgotten = new FinalizationRegistry<Listening>(stopListening);

/** Aborted with the first of `sources`, and its reason. It needs no care: it ends when nobody holds it. */
export function joinedSignal(...sources: readonly AbortSignal[]): AbortSignal {
  const early = sources.find(({ aborted }) => aborted);
  if (early !== undefined) return early;
  const controller = new AbortController();
  const { signal } = controller;
  const target = new WeakRef(controller);
  const onAbort = (): void => {
    stopListening(listening);
    target.deref()?.abort(sources.find(({ aborted }) => aborted)?.reason);
  };
  const listening: Listening = { sources, onAbort };
  for (const source of sources) addAbortListener(source, onAbort);
  controllers.set(signal, controller);
  forgotten.register(signal, listening);
  return signal;
}

function stopListening({ sources, onAbort }: Listening): void {
  for (const source of sources) removeAbortListener(source, onAbort);
}

/**
 * The outcome of reading one value that a person wrote: the value, or what was expected instead.
 *
 * `expected` continues the sentence "must be …"; `hint` is a sentence of its own or "".
 */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string; readonly hint: string };

/** A value that was understood. */
export function accept<T>(value: T): Reading<T> {
  return { ok: true, value };
}

/** A value that was not: what would have been, and perhaps what to write instead. */
export function refuse(expected: string, hint = ""): Reading<never> {
  return { ok: false, expected, hint };
}

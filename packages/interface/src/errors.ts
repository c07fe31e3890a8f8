/**
 * The base of every error that leaves a package.
 *
 * Two copies of a package can be loaded at once (plug-ins, upgrades), so `instanceof` goes by a brand
 * that is shared through `Symbol.for`. Handlers match on `code`, which is stable: `ERR_<AREA>_<WHAT>`.
 */
const brand = Symbol.for("koala.error");

export class KoalaError extends Error {
  /** Stable, documented in docs/reference/errors.md. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "KoalaError";
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && brand in value;
  }
}

/** Throws when an invariant of our own is broken: a bug, never bad input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new KoalaError("ERR_BUG", `broken invariant: ${message}`);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

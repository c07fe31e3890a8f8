/** Values that interceptors hand on to other interceptors and to handlers of the same call. */

/** Names a value of a type. Two keys are never equal. */
export interface ContextKey<T> {
  readonly id: symbol;
  readonly defaultValue: T;
}

/** The values of one call. */
export interface ContextValues {
  /** The value, or the default of its key. */
  get<T>(key: ContextKey<T>): T;
  set<T>(key: ContextKey<T>, value: T): this;
  /** Back to the default. */
  delete(key: ContextKey<unknown>): this;
}

/** A key with what `get` gives when nothing was set; `description` is for debuggers. */
export function createContextKey<T>(
  defaultValue: T,
  options?: { readonly description?: string },
): ContextKey<T> {
  return { id: Symbol(options?.description), defaultValue };
}

/** No values yet. */
export function createContextValues(): ContextValues {
  return new ValueMap();
}

class ValueMap implements ContextValues {
  private readonly values = new Map<symbol, unknown>();

  get<T>({ id, defaultValue }: ContextKey<T>): T {
    return this.values.has(id) ? (this.values.get(id) as T) : defaultValue;
  }

  set<T>(key: ContextKey<T>, value: T): this {
    this.values.set(key.id, value);
    return this;
  }

  delete(key: ContextKey<unknown>): this {
    this.values.delete(key.id);
    return this;
  }
}

/** What `new Headers()` takes; a name that Node's own types do not have. */
export type HeadersInit = ConstructorParameters<typeof Headers>[0];

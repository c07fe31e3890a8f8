/** What the main program and the programs that bind services of many types say to each other. */

/** A schema that no process has seen before, unless it got the same command. */
export interface SchemaName {
  /** How many message types one call reaches. */
  readonly types: number;
  /** Makes it different from others of as many types. */
  readonly tag: string;
}

/** Serve it; answered when callers can be served. */
export interface ServeCommand extends SchemaName {
  readonly op: "serve";
}

/** Call it: with a client that is made now, with one more of the same process, or with the one there is. */
export interface CallCommand extends SchemaName {
  readonly op: "bind" | "call" | "split";
}

export interface Called {
  /** Until the reply was there, ms. */
  readonly ms: number;
}

/** What a process that binds does by itself, ms. */
export interface Split {
  /** Layouts, hash and descriptor set. */
  readonly schemaMs: number;
  /** The functions that write and read the messages. */
  readonly codecMs: number;
}

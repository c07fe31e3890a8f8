/** What the engine needs to know of a call: the daemon implements it over shared memory, the harness over objects. */
import type { Origin, Status } from "@koala/interface";
import type { MethodSchema } from "@koala/schema";
import type { Caller, Endpoint, TraceContext } from "../call.ts";

export type MetadataEntry = readonly [key: string, value: string | Uint8Array];

/** The request or the reply of a call. */
export interface MessageSource {
  /** Bytes of the message. */
  readonly bytes: number;
  /** The typed message, from memory that nobody else can write. Throws `malformedMessage`. */
  read(): unknown;
  /** Puts another message in its place. Throws a KoalaError for a value that the type can't have. */
  replace(message: unknown): void;
  /** Headers or trailers, from a private copy. Throws `malformedMessage`. */
  entries(): readonly MetadataEntry[];
  setEntries(entries: readonly MetadataEntry[]): void;
}

/** One message of a stream. */
export interface StreamMessageSource {
  readonly from: "client" | "server";
  readonly index: number;
  readonly bytes: number;
  /** The typed message, from memory that nobody else can write. Throws `malformedMessage`. */
  read(): unknown;
  /** Puts another message in its place. Throws a KoalaError for a value that the type can't have. */
  replace(message: unknown): void;
}

export interface CallSource {
  readonly requestId: string;
  readonly target: string;
  readonly service: string;
  readonly method: MethodSchema;
  readonly caller: Caller;
  readonly timeLeftMs: number;
  readonly endpoint: Endpoint | undefined;
  readonly request: MessageSource;
  readonly response: MessageSource;
  readonly status: Status;
  readonly origin: Origin;
  readonly statusMessage: string;
  trace: TraceContext | undefined;
  priority: number;
  /** A held call goes on at its stage, or ends with the denial that is noted in it; soon, not at once. */
  wake(): void;
}

/** Thrown by the readers of a `MessageSource`: the sender is to blame, not the policy. */
export const malformedMessage: Error = new Error("the message is malformed");

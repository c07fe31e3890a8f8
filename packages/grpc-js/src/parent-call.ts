/** What a call takes over from the call that it is made for. */
import { type ChannelInterface, type Deadline, propagate } from "@grpc/grpc-js";
import type { HandlerContext } from "@koala/mrpc/raw";

/** A call that a server handles, of this package or of grpc-js's own server. */
export type ParentCall = NonNullable<Parameters<ChannelInterface["createCall"]>[3]>;

/** What is taken over. */
export interface Parent {
  readonly deadline: Deadline;
  /** Emits `cancelled`; null when cancelling is not passed on. */
  readonly cancelling: ParentCall | null;
  /** Has time, signal and trace of a call that came over the mesh; null when some of it is not passed on. */
  readonly context: HandlerContext | null;
}

const allFlags = propagate.DEADLINE | propagate.CENSUS_TRACING_CONTEXT | propagate.CANCELLATION;

/** By the flags of `propagate`. */
export function parentFor(call: ParentCall, flags: number): Parent {
  // Calls of this package's servers have one.
  const context = (call as { koalaContext?: HandlerContext }).koalaContext ?? null;
  if (context !== null && (flags & allFlags) === allFlags) {
    return { deadline: Number.POSITIVE_INFINITY, cancelling: null, context };
  }
  const hasDeadline = (flags & propagate.DEADLINE) !== 0;
  return {
    deadline: hasDeadline ? call.getDeadline() : Number.POSITIVE_INFINITY,
    cancelling: (flags & propagate.CANCELLATION) !== 0 ? call : null,
    context: null,
  };
}

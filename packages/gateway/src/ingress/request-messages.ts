/** Where the messages of a request come from. */
import type { RpcError } from "@koala/mrpc";

export interface RequestMessages extends AsyncIterable<Uint8Array> {
  /** What was wrong with the request; the call that it was for ends with it. */
  readonly problem: RpcError | null;
  /**
   * The only message of the request, whose end it waits for. Throws UNIMPLEMENTED, as gRPC has it for a wrong
   * number of messages, when there is none or more than one, and DEADLINE_EXCEEDED when the time of the call is
   * over before.
   */
  single(timeoutMs: number | undefined): Promise<Uint8Array>;
  /** Nobody wants the rest. */
  return(): Promise<unknown>;
}

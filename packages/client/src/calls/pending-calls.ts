/**
 * The calls that the daemon has and has not answered. A call id is an index into a table (low 20 bits)
 * and a generation (high 12 bits), so finding the call of a reply is an array access, and a stale id
 * finds nothing. Entries are used again, last freed first.
 */

import type { ClientStream } from "../streams/client-stream.ts";
import type { EntriesListener } from "./call-options.ts";
import type { ClientMethod } from "./client-method.ts";

const INDEX_BITS = 20;
const INDEX_MASK = (1 << INDEX_BITS) - 1;
/** More calls in flight than this have no id. */
export const pendingCallsMax: number = 1 << INDEX_BITS;

export class PendingCall {
  id: number;
  isActive = false;
  /** Null once the caller has its outcome: the call was aborted and only waits for the daemon. */
  resolve: ((value: unknown) => void) | null = null;
  reject: ((reason: unknown) => void) | null = null;
  method: ClientMethod | null = null;
  /** The request's block in the send heap. */
  tag = 0;
  offset = 0;
  /** False when there was nothing to put into a block. */
  hasBlock = true;
  /** Its streams of messages; null for a unary call. */
  stream: ClientStream | null = null;
  view = false;
  /** As of `performance.now()`; Infinity without one, and when the caller has its outcome. */
  deadline: number = Number.POSITIVE_INFINITY;
  signal: AbortSignal | null = null;
  /** Null once it was called. */
  onHeader: EntriesListener | null = null;
  onTrailer: EntriesListener | null = null;
  /** Made once an entry, not once a call. */
  onAbort: (() => void) | null = null;

  constructor(id: number) {
    this.id = id;
  }
}

export class PendingCalls {
  size = 0;
  /** Calls whose end brings no block back. */
  withoutBlock = 0;
  readonly max: number;
  private readonly entries: PendingCall[] = [];
  private readonly free: PendingCall[] = [];

  constructor(max: number) {
    this.max = Math.min(max, pendingCallsMax);
  }

  /** An entry with a fresh id; the caller has seen to it that `size` is below `max`. */
  take(): PendingCall {
    let call = this.free.pop();
    if (call === undefined) {
      call = new PendingCall(this.entries.length);
      this.entries.push(call);
    } else {
      call.id = (call.id + (1 << INDEX_BITS)) | 0;
    }
    call.isActive = true;
    this.size++;
    return call;
  }

  /** The call with this id; undefined when there is none. */
  find(id: number): PendingCall | undefined {
    const call = this.entries[id & INDEX_MASK];
    return call !== undefined && call.id === id && call.isActive ? call : undefined;
  }

  /** The call is over: its id is void. */
  drop(call: PendingCall): void {
    call.isActive = false;
    call.resolve = null;
    call.reject = null;
    call.onHeader = null;
    call.onTrailer = null;
    call.stream = null;
    call.deadline = Number.POSITIVE_INFINITY;
    if (!call.hasBlock) this.withoutBlock--;
    this.size--;
    this.free.push(call);
  }

  /** True while a caller waits for a call with a deadline. */
  hasDeadline(): boolean {
    return this.entries.some((call) => call.deadline !== Number.POSITIVE_INFINITY);
  }

  /** All calls that are pending now. */
  active(): PendingCall[] {
    return this.entries.filter((call) => call.isActive);
  }
}

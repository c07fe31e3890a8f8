/**
 * Calls that the daemon can't have yet: it is not there, has not bound the service, has as many calls of
 * this app as it takes, or the send heap is full. First in, first out; a caller who gives up leaves at once.
 */

import type { ClientStream } from "../streams/client-stream.ts";
import type { RawCallOptions } from "./call-options.ts";
import type { ClientMethod } from "./client-method.ts";

export class WaitingCall {
  readonly method: ClientMethod;
  readonly message: unknown;
  readonly options: RawCallOptions;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  /** When the caller's `timeoutMs` ends, as of `performance.now()`; Infinity without one. */
  readonly deadline: number;
  /** What begins when the call does; null for a unary call. */
  readonly stream: ClientStream | null;
  timer: NodeJS.Timeout | null = null;
  onAbort: (() => void) | null = null;
  list: WaitingCalls | null = null;
  previous: WaitingCall | null = null;
  next: WaitingCall | null = null;

  constructor(
    method: ClientMethod,
    message: unknown,
    options: RawCallOptions,
    resolve: (value: unknown) => void,
    reject: (reason: unknown) => void,
    deadline: number,
    stream: ClientStream | null,
  ) {
    this.method = method;
    this.message = message;
    this.options = options;
    this.resolve = resolve;
    this.reject = reject;
    this.deadline = deadline;
    this.stream = stream;
  }
}

/** A doubly linked list: leaving takes constant time. */
export class WaitingCalls {
  size = 0;
  first: WaitingCall | null = null;
  private last: WaitingCall | null = null;

  append(call: WaitingCall): void {
    call.list = this;
    call.previous = this.last;
    call.next = null;
    if (this.last === null) this.first = call;
    else this.last.next = call;
    this.last = call;
    this.size++;
  }

  remove(call: WaitingCall): void {
    if (call.previous === null) this.first = call.next;
    else call.previous.next = call.next;
    if (call.next === null) this.last = call.previous;
    else call.next.previous = call.previous;
    call.list = null;
    call.previous = null;
    call.next = null;
    this.size--;
  }

  /** Takes all out. */
  takeAll(): WaitingCall[] {
    const calls: WaitingCall[] = [];
    for (let call = this.first; call !== null; call = this.first) {
      this.remove(call);
      calls.push(call);
    }
    return calls;
  }
}

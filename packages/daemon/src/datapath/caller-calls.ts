/** The calls that an app has made, by the numbers it gave them. */
import { Call, CallTable } from "./call.ts";

/** A call's index in the app's table is in the low bits of its number, a generation in the high ones. */
const indexMask = 0xfffff;
/** Stands for a call that has ended while its caller has not been told yet. */
const ended = new Call(new CallTable());

export class CallerCalls {
  /** Numbers in use. */
  count = 0;
  readonly max: number;
  /** Grows as the app uses higher numbers: most apps have a few calls open, or none. */
  private readonly calls: (Call | null)[] = [];

  constructor(max: number) {
    this.max = max;
  }

  isFree(callerId: number): boolean {
    const index = callerId & indexMask;
    if (index >= this.max) return false;
    while (index >= this.calls.length) this.calls.push(null);
    return this.calls[index] === null;
  }

  /** The number belongs to this call from now on. */
  open(callerId: number, call: Call): void {
    const index = callerId & indexMask;
    while (index >= this.calls.length) this.calls.push(null);
    this.calls[index] = call;
    this.count++;
  }

  /** The number belongs to a call that has ended, until its caller has been told. */
  openEnded(callerId: number): void {
    this.open(callerId, ended);
  }

  /** The call with this index, which may have ended, or have another generation. */
  at(callerId: number): Call | null {
    return this.calls[callerId & indexMask] ?? null;
  }

  /** The number may be used again. */
  end(callerId: number): void {
    this.calls[callerId & indexMask] = null;
    this.count--;
  }
}

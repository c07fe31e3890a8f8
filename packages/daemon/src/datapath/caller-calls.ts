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
  private readonly calls: (Call | null)[];

  constructor(max: number) {
    this.max = max;
    this.calls = new Array<Call | null>(max).fill(null);
  }

  isFree(callerId: number): boolean {
    const index = callerId & indexMask;
    return index < this.calls.length && this.calls[index] === null;
  }

  /** The number belongs to this call from now on. */
  open(callerId: number, call: Call): void {
    this.calls[callerId & indexMask] = call;
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

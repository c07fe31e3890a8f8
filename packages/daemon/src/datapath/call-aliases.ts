/**
 * Calls that an app serves and that were made in another runtime: the app knows them by the ids they had
 * there, which here may belong to other calls. Empty but for the time after an app has moved.
 */
import type { Call } from "./call.ts";

export class CallAliases {
  private readonly calls = new Map<number, Call>();
  private readonly ids = new Map<Call, number>();

  /** The app knows this call by this id. */
  add(id: number, call: Call): void {
    this.calls.set(id, call);
    this.ids.set(call, id);
  }

  /** Some call is known by this id, so no other one may be. */
  has(id: number): boolean {
    return this.calls.size > 0 && this.calls.has(id);
  }

  /** The call that is known by this id; undefined when it is no alias. */
  find(id: number): Call | undefined {
    return this.calls.size === 0 ? undefined : this.calls.get(id);
  }

  /** The id by which the app knows a call. */
  idOf(call: Call): number {
    return this.ids.size === 0 ? call.id : (this.ids.get(call) ?? call.id);
  }

  /** The call that is known by this id, which ends now; undefined when it is no alias. */
  take(id: number): Call | undefined {
    if (this.calls.size === 0) return undefined;
    const call = this.calls.get(id);
    if (call === undefined) return undefined;
    this.calls.delete(id);
    this.ids.delete(call);
    return call;
  }
}

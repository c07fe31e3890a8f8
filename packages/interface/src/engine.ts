/**
 * The unit of work in the daemon. An engine is polled by one runtime thread, does at most a budget of
 * work, and returns how much it did. It never waits, never throws for bad input, and has no thread.
 *
 * A runtime calls, over and over: `poll` of every active engine, `flush` of every engine that was marked
 * dirty meanwhile, `sleep` of every engine whose `poll` found less than its budget.
 */
export interface Engine {
  readonly name: string;
  /**
   * Does at most about `budget` units of work (a slot, a frame) and returns the units done; less than
   * `budget` means that nothing is left to do now.
   */
  poll(budget: number): number;
  /** Makes visible to the other process or to the wire what engines have put into this one's outputs. */
  flush(): void;
  /**
   * The runtime is about to stop polling this engine until it is activated again. The engine asks its
   * producers for a wake-up (sets its sleeping flags), then looks once more: true if it is fine to
   * sleep, false if work has just come in.
   */
  sleep(): boolean;
  /** Takes the request for a wake-up back: the runtime looks by itself for a while. */
  awake?(): void;
  /** True if there is work; costs next to nothing. Asked while the runtime spins. */
  hasWork(): boolean;
}

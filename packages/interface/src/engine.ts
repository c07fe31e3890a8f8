/**
 * The unit of work in the daemon. An engine is polled by one runtime thread, does at most a budget of
 * work, and returns how much it did. It never waits, never throws for bad input, and has no thread.
 */
export interface Engine {
  readonly name: string;
  /**
   * Does at most about `budget` units of work (a slot, a frame) and returns the units done; less than
   * `budget` means that nothing is left to do now.
   */
  poll(budget: number): number;
  /**
   * The runtime is about to sleep. The engine asks its producers for a wake-up (sets its sleeping
   * flags), then looks once more: true if it is fine to sleep, false if work has just come in.
   */
  sleep(): boolean;
  /** The engine leaves the runtime for good and gives back what it owns. */
  close(): void;
}

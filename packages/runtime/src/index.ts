/**
 * Runs engines: the loop that polls, spins and sleeps, and timers. No I/O of its own.
 *
 * @packageDocumentation
 */
export { Runtime, type RuntimeCounters, type RuntimeOptions, type Waiter } from "./runtime.ts";
export { Timer, TimerWheel } from "./timer-wheel.ts";

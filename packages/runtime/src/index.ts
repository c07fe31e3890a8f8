/**
 * Runs engines: the loop that polls and sleeps, timers, adaptive spinning. No I/O of its own.
 *
 * @packageDocumentation
 */
export { Runtime, type RuntimeCounters, type RuntimeOptions, type Waiter } from "./runtime.ts";
export { SpinHistory, Spinner, type SpinOptions } from "./spinner.ts";
export { Timer, TimerWheel } from "./timer-wheel.ts";

/**
 * Runs engines: the loop that polls, spins and sleeps, and timers. No I/O of its own.
 *
 * @packageDocumentation
 */
export {
  HEARTBEAT_BYTES,
  HEARTBEAT_HANDLER,
  Heartbeat,
  type HeartbeatRates,
  HeartbeatReader,
  type HeartbeatSample,
  Phase,
  type RuntimeCounters,
} from "./heartbeat.ts";
export { Runtime, type RuntimeOptions, type Waiter } from "./runtime.ts";
export { Timer, TimerWheel } from "./timer-wheel.ts";

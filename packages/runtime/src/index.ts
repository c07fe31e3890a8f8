/**
 * Runs engines: the loop that polls, spins and sleeps, timers, and the processors there are to run on. The loop
 * has no I/O of its own.
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
export { type Processor, parseCpuList, readTopology, type TopologyPlaces } from "./topology.ts";

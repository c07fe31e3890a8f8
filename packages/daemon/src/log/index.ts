/** Logging of koalad: one log in the main thread, forwarding logs in workers. */
export { AreaLog } from "./area-log.ts";
export type { Log } from "./area-logs.ts";
export type { LogFormat } from "./format.ts";
export { createForwardingLog, type ForwardedRecord, type ForwardingLog } from "./forward.ts";
export { Level, type LevelName, type LogArea, logAreas, type RecordLevelName } from "./level.ts";
export { createLog, type LogOptions, logOptionsFrom, type RootLog } from "./log.ts";
export type { LogFields, LogRecord } from "./record.ts";
export { formatLogSpec, type LogSpec, parseLogSpec } from "./spec.ts";

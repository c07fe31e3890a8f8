/**
 * The log of a worker thread: records go to the main thread by `postMessage`, and are written there.
 *
 * A port has no bound of its own, so both sides share two counters: the worker adds to `inFlight` before
 * it posts and the main thread takes away after it received; at the limit the worker counts a dropped
 * record instead. Drops happen only while records are under way, so the main thread, which takes the
 * count over with each record that arrives, always gets to know.
 */
import { AreaLogs, type Log } from "./area-logs.ts";
import { isLogArea, Level, type LogArea } from "./level.ts";
import { createRecord, type LogRecord } from "./record.ts";
import { parseLogSpec } from "./spec.ts";

/** What a worker posts. Other messages may share the port: `kind` tells them apart. */
export interface ForwardedRecord {
  readonly kind: "koala.log";
  readonly record: LogRecord;
  /** In shared memory, see `Counter`. */
  readonly counters: Int32Array;
}

/** Indices of the shared counters. */
const Counter = { inFlight: 0, dropped: 1 } as const;

/** Records of one worker that may wait for the main thread. */
const inFlightMax = 1024;

/** The log of a worker. */
export interface ForwardingLog extends Log {
  /** Other levels from now on. @throws KoalaError `ERR_LOG_SPEC` */
  setSpec(spec: string): void;
}

/**
 * Makes the log of a worker thread. `post` sends to the main thread, for instance
 * `(message) => parentPort.postMessage(message)`; it must not throw.
 *
 * @throws KoalaError `ERR_LOG_SPEC` when the specification is wrong
 */
export function createForwardingLog(
  post: (message: ForwardedRecord) => void,
  spec: string,
): ForwardingLog {
  const counters = new Int32Array(new SharedArrayBuffer(8));
  const logs = new AreaLogs(parseLogSpec(spec, "the log specification"), (record) => {
    // Only this thread adds, so looking before adding is safe.
    if (Atomics.load(counters, Counter.inFlight) >= inFlightMax) {
      Atomics.add(counters, Counter.dropped, 1);
      return;
    }
    Atomics.add(counters, Counter.inFlight, 1);
    post({ kind: "koala.log", record, counters });
  });
  return {
    area: (area: LogArea) => logs.area(area),
    setSpec: (text: string) => logs.setSpec(parseLogSpec(text, "the log specification")),
  };
}

/**
 * Takes a message that came from a worker: writes its record and, if the worker had to drop some, a
 * record that says how many. False when the message is none of ours.
 */
export function takeForwarded(message: unknown, write: (record: LogRecord) => void): boolean {
  if (!isForwarded(message)) return false;
  const { record, counters } = message;
  Atomics.sub(counters, Counter.inFlight, 1);
  write(record);
  const dropped = Atomics.exchange(counters, Counter.dropped, 0);
  if (dropped > 0) {
    const text = "log records of a worker thread were dropped: the main thread was too busy";
    write(createRecord(record.time, "warn", "daemon", text, { dropped }));
  }
  return true;
}

function isForwarded(message: unknown): message is ForwardedRecord {
  if (typeof message !== "object" || message === null) return false;
  const { kind, record, counters } = message as Partial<ForwardedRecord>;
  return (
    kind === "koala.log" &&
    counters instanceof Int32Array &&
    record !== undefined &&
    isLogArea(record.area) &&
    Object.hasOwn(Level, record.level)
  );
}

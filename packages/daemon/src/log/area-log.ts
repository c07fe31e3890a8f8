import { Level, type LogArea, type RecordLevelName } from "./level.ts";
import { createRecord, type LogFields, type LogRecord } from "./record.ts";

/**
 * The log of one area. A call below the level costs one comparison; whoever has to compute the fields
 * asks `enabled` first.
 */
export class AreaLog {
  readonly area: LogArea;
  /** Records of a lower level are not made. Set by the log when its specification changes. */
  threshold: number;
  readonly #write: (record: LogRecord) => void;

  constructor(area: LogArea, threshold: number, write: (record: LogRecord) => void) {
    this.area = area;
    this.threshold = threshold;
    this.#write = write;
  }

  /** Whether a record of this level would be written. */
  enabled(level: RecordLevelName): boolean {
    return Level[level] >= this.threshold;
  }

  /** Each step of the work; for looking at one call. */
  trace(message: string, fields?: LogFields): void {
    if (this.threshold <= Level.trace) this.#record("trace", message, fields);
  }

  /** What a person needs who looks for a mistake in Koala. */
  debug(message: string, fields?: LogFields): void {
    if (this.threshold <= Level.debug) this.#record("debug", message, fields);
  }

  /** What an operator wants to know later. */
  info(message: string, fields?: LogFields): void {
    if (this.threshold <= Level.info) this.#record("info", message, fields);
  }

  /** Something is not as it should be, and the daemon goes on. */
  warn(message: string, fields?: LogFields): void {
    if (this.threshold <= Level.warn) this.#record("warn", message, fields);
  }

  /** Something failed that an operator has to look at. */
  error(message: string, fields?: LogFields): void {
    if (this.threshold <= Level.error) this.#record("error", message, fields);
  }

  #record(level: RecordLevelName, message: string, fields: LogFields | undefined): void {
    this.#write(createRecord(Date.now(), level, this.area, message, fields));
  }
}

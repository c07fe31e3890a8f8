import { AreaLog } from "./area-log.ts";
import { Level, type LogArea, logAreas } from "./level.ts";
import type { LogRecord } from "./record.ts";
import type { LogSpec } from "./spec.ts";

/** What code that logs needs: the same in the main thread and in workers. */
export interface Log {
  /** The log of an area: always the same object, so it can be kept. */
  area(area: LogArea): AreaLog;
}

/** The logs of all areas, whose levels follow one specification. */
export class AreaLogs implements Log {
  readonly #logs: ReadonlyMap<LogArea, AreaLog>;

  constructor(spec: LogSpec, write: (record: LogRecord) => void) {
    this.#logs = new Map(
      logAreas.map((area) => [area, new AreaLog(area, Level[spec[area]], write)]),
    );
  }

  area(area: LogArea): AreaLog {
    return this.#logs.get(area)!;
  }

  /** Other levels from now on. */
  setSpec(spec: LogSpec): void {
    for (const log of this.#logs.values()) log.threshold = Level[spec[log.area]];
  }
}

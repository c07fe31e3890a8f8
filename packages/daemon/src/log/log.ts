/**
 * The log of the daemon: levels by area, lines for people or JSON, to standard error or a file. This is
 * the main thread's half; workers forward their records to it (`forward.ts`).
 */
import { extname } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import { didYouMean } from "../config/suggestion.ts";
import { AreaLogs, type Log } from "./area-logs.ts";
import { openLogFile, openStderr } from "./destination.ts";
import { createRecordWriter, type LogFormat } from "./format.ts";
import { takeForwarded } from "./forward.ts";
import { LineSink } from "./line-sink.ts";
import { createRecord } from "./record.ts";
import { formatLogSpec, type LogSpec, parseLogSpec } from "./spec.ts";

export interface LogOptions {
  /** `info,link=debug`; "" means `info`. */
  readonly spec: string;
  /** File to append to; "" or nothing means standard error. */
  readonly file?: string | undefined;
  /** `text` or `json`; by default `json` for a file that ends in `.jsonl`, else `text`. */
  readonly format?: string | undefined;
  /** Bytes of lines that may wait for the reader; what comes on top is dropped. Default 1 MiB. */
  readonly waitingBytesMax?: number | undefined;
}

/** The log of the main thread. */
export interface RootLog extends Log {
  /** The levels as text, for workers that start and for people who ask. */
  readonly spec: string;
  /** Lines lost so far because nobody read them or the disk was full. */
  readonly dropped: number;
  /** Other levels from now on. @throws KoalaError `ERR_LOG_SPEC` */
  setSpec(spec: string): void;
  /** Takes a message of a worker; false when it is not a log record. */
  receiveForwarded(message: unknown): boolean;
  /**
   * Opens the file again by its name, after it was moved away (SIGHUP). When that fails the log stays
   * with the old file and says so there. Nothing to do for standard error.
   */
  reopen(): void;
  /** Waits until all lines are written; false when the deadline (default 1 s) passes first. */
  flush(deadlineMs?: number): Promise<boolean>;
  /** Flushes with the deadline (default 1 s) and closes; later records are dropped. */
  close(deadlineMs?: number): Promise<void>;
}

const waitingBytesMaxDefault = 1024 * 1024;
const deadlineMsDefault = 1000;
const formats: readonly LogFormat[] = ["text", "json"];

/**
 * The options for a daemon: `KOALA_LOG`, `KOALA_LOG_FILE` and `KOALA_LOG_FORMAT` win over what the
 * configuration says (`config.log`).
 */
export function logOptionsFrom(
  env: NodeJS.ProcessEnv,
  config: { readonly level: string; readonly file: string },
): LogOptions {
  return {
    spec: env["KOALA_LOG"] ?? config.level,
    file: env["KOALA_LOG_FILE"] ?? config.file,
    format: env["KOALA_LOG_FORMAT"] || undefined,
  };
}

/**
 * Opens the log. Writing never blocks and never throws, whatever happens to the file or the reader.
 *
 * @throws KoalaError `ERR_LOG_SPEC`, `ERR_LOG_FORMAT`, `ERR_LOG_FILE`
 */
export function createLog(options: LogOptions): RootLog {
  let spec: LogSpec = parseLogSpec(options.spec, "KOALA_LOG");
  const file = options.file ?? "";
  const format = readFormat(options.format, file);
  const { fd, promptly } = file === "" ? openStderr() : openLogFile(file);

  const sink = new LineSink({
    fd,
    promptly,
    waitingBytesMax: options.waitingBytesMax ?? waitingBytesMaxDefault,
    onDropped: (lines) => warn("log lines were dropped: they were not read in time", { lines }),
  });
  const write = createRecordWriter(format, sink);
  const logs = new AreaLogs(spec, write);
  // Past the levels: what the log has to say about itself is about lost lines.
  const warn = (message: string, fields: Record<string, unknown>): void =>
    write(createRecord(Date.now(), "warn", "daemon", message, fields));

  const onExit = (): void => sink.flushNow();
  process.on("exit", onExit);

  return {
    area: (area) => logs.area(area),
    get spec(): string {
      return formatLogSpec(spec);
    },
    get dropped(): number {
      return sink.dropped;
    },
    setSpec(text: string): void {
      spec = parseLogSpec(text, "the log specification");
      logs.setSpec(spec);
    },
    receiveForwarded: (message: unknown) => takeForwarded(message, write),
    reopen(): void {
      if (file === "") return;
      try {
        const next = openLogFile(file);
        sink.replace(next.fd, next.promptly);
      } catch (error) {
        warn("the log file can't be opened again, going on with the old one", {
          error: messageOf(error),
        });
      }
    },
    flush: (deadlineMs = deadlineMsDefault) => sink.flush(deadlineMs),
    async close(deadlineMs = deadlineMsDefault): Promise<void> {
      await sink.close(deadlineMs);
      process.off("exit", onExit);
    },
  };
}

function readFormat(format: string | undefined, file: string): LogFormat {
  if (format === undefined) return extname(file) === ".jsonl" ? "json" : "text";
  if (format === "text" || format === "json") return format;
  throw new KoalaError(
    "ERR_LOG_FORMAT",
    `KOALA_LOG_FORMAT must be "text" or "json", found ${JSON.stringify(format)}. ${didYouMean(format, formats)}`.trimEnd(),
  );
}

/** The part of the log that runs on the daemon's main thread: it writes what the instances send. */
import process from "node:process";
import type { ControlContext, ControlPart } from "@koala/policy";
import type { LogConfig } from "./config.ts";
import { LogFile, type LogFileOptions } from "./log-file.ts";

/** Lines of one instance, as it sends them. */
export interface LogBatch {
  readonly text: string;
  readonly lines: number;
}

/** Where `ctx.shared` has the number of lines that could not be written. */
export const LOST = 0;
export const sharedBytes = 8;

export function createLogControl(ctx: ControlContext<LogConfig>): ControlPart<LogConfig> {
  const shared = new Int32Array(ctx.shared);
  const optionsFor = ({ file, backlog }: LogConfig): LogFileOptions => ({
    path: file,
    backlogBytesMax: backlog,
    lost: (lines) => void Atomics.add(shared, LOST, lines),
    warn: (message) => ctx.warn(message),
  });
  const file = new LogFile(optionsFor(ctx.config));
  // What rotates logs renames the file and sends SIGHUP.
  const onHangUp = (): void => file.reopen();
  process.on("SIGHUP", onHangUp);
  return {
    outlivesCalls: true,
    onNotice(message) {
      const { text, lines } = message as LogBatch;
      file.append(text, lines);
    },
    reconfigure(config) {
      file.change(optionsFor(config));
    },
    async close() {
      process.off("SIGHUP", onHangUp);
      await file.close();
    },
  };
}

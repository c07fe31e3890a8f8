/** How koalactl ends. */
import { KoalaError } from "@koala/interface";
import { CommanderError } from "commander";

/** Exit codes by name; docs/reference/cli.md has the same table. */
export const Exit = {
  OK: 0,
  /** The daemon refused, or a call ended with another status than OK. */
  FAILED: 1,
  /** The command line, or the JSON in it, can't be understood. */
  USAGE: 2,
  NO_DAEMON: 3,
} as const;
export type Exit = (typeof Exit)[keyof typeof Exit];

/** Ends a command that has said itself all there is to say. */
export class ExitWith extends Error {
  readonly exit: Exit;

  constructor(exit: Exit) {
    super(`exit code ${exit}`);
    this.exit = exit;
  }
}

/** What a program that failed with this error exits with. */
export function exitCodeOf(error: unknown): Exit {
  // Help and version come as errors, too: their exit code is 0 when they were asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.OK : Exit.USAGE;
  if (error instanceof ExitWith) return error.exit;
  if (!(error instanceof KoalaError)) return Exit.FAILED;
  if (error.code === "ERR_CTL_USAGE" || error.code === "ERR_CTL_JSON") return Exit.USAGE;
  const isNoDaemon = error.code === "ERR_CTL_NO_DAEMON" || error.code === "ERR_CONNECT_NO_DAEMON";
  return isNoDaemon ? Exit.NO_DAEMON : Exit.FAILED;
}

/** What was typed makes no sense. */
export function usageError(message: string): KoalaError {
  return new KoalaError("ERR_CTL_USAGE", message);
}

/** What the library says besides results and errors: rare events of the connection. */

export type LogLevel = "info" | "warn" | "error";

/** Receives each line; give your own to `connect` to have them in your log. */
export type Log = (level: LogLevel, message: string) => void;

/** The default: warnings and errors, a line each, on stderr. */
export const logToStderr: Log = (level, message) => {
  if (level !== "info") process.stderr.write(`koala: ${message}\n`);
};

/**
 * Levels and areas of the log. The numbers are pino's, so that its tools understand our JSON lines, and
 * so that a level check is one comparison.
 */

/** Levels by name; `off` lies above all that can be written. */
export const Level = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  off: 100,
} as const;
export type LevelName = keyof typeof Level;
export type Level = (typeof Level)[LevelName];

/** The levels that a record can have: all but `off`. */
export type RecordLevelName = Exclude<LevelName, "off">;

export const levelNames: readonly LevelName[] = ["trace", "debug", "info", "warn", "error", "off"];

/** The parts of the daemon that write log lines, each with a level of its own. */
export const logAreas = [
  "daemon",
  "config",
  "control",
  "app",
  "service",
  "link",
  "runtime",
  "admin",
  "policy",
] as const;
export type LogArea = (typeof logAreas)[number];

export function isLevelName(word: string): word is LevelName {
  return Object.hasOwn(Level, word);
}

export function isLogArea(word: string): word is LogArea {
  return (logAreas as readonly string[]).includes(word);
}

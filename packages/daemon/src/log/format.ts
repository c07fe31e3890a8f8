/** Records as lines: for people, or as JSON for programs. Each ends with a line feed. */
import { pino } from "pino";
import { printable, printableValue } from "./printable.ts";
import type { LogRecord, PlainValue } from "./record.ts";

/** `text` is for people, `json` for programs. */
export type LogFormat = "text" | "json";

/** Writes one record somewhere. */
export type RecordWriter = (record: LogRecord) => void;

/** Names that a JSON line has anyway; a field of the same name gets a `_` behind. */
const reservedNames: readonly string[] = ["level", "time", "area", "msg"];

/** Makes the writer of a format on top of something that takes lines. */
export function createRecordWriter(
  format: LogFormat,
  destination: { write(line: string): void },
): RecordWriter {
  if (format === "text") return (record) => destination.write(formatText(record));
  const logger = pino(
    {
      level: "trace",
      base: null,
      // The time is the record's: it may have been made in another thread, some time ago.
      timestamp: false,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return (record) => logger[record.level](jsonFields(record), record.message);
}

/** `2026-11-23T11:18:00.123Z INFO  link     link up  peer=b version=1` */
export function formatText(record: LogRecord): string {
  const time = new Date(record.time).toISOString();
  const level = record.level.toUpperCase().padEnd(5);
  let line = `${time} ${level} ${record.area.padEnd(7)} ${printable(record.message)}`;
  for (const [name, value] of Object.entries(record.fields)) {
    line += ` ${printableValue(name)}=${typeof value === "string" ? printableValue(value) : value}`;
  }
  return `${line}\n`;
}

function jsonFields(record: LogRecord): Record<string, PlainValue> {
  const line: Record<string, PlainValue> = {
    time: new Date(record.time).toISOString(),
    area: record.area,
  };
  for (const [name, value] of Object.entries(record.fields)) {
    line[reservedNames.includes(name) ? `${name}_` : name] = value;
  }
  return line;
}

/** Lines of the daemon's log for somebody who watches: the time of day, colours, one field after the other. */
import { type Paint, printable, type Tone } from "../table.ts";

const tones: Readonly<Record<string, Tone>> = {
  fatal: "bad",
  error: "bad",
  warn: "title",
  debug: "faint",
  trace: "faint",
};

/** What a record has besides its fields. */
const ownKeys: ReadonlySet<string> = new Set(["level", "time", "area", "msg"]);

/**
 * A line of JSON as `KOALA_LOG_FORMAT=json` has it, for people: the first line, and those of fields that have
 * several. Undefined for what is no record.
 */
export function formatRecord(line: string, paint: Paint): string[] | undefined {
  const record = parse(line);
  if (record === undefined) return undefined;
  const { level, time, area, msg } = record;
  if (typeof level !== "string" || typeof time !== "string") return undefined;
  const fields = Object.entries(record).filter(([key]) => !ownKeys.has(key));
  const isLong = ([, value]: [string, unknown]): boolean =>
    typeof value === "string" && value.includes("\n");
  const short = fields.filter((field) => !isLong(field)).map(formatField);
  const head = [
    paint("faint", clockOf(time)),
    paint(tones[level] ?? "plain", level.toUpperCase().padEnd(5)),
    printable(String(area ?? "")).padEnd(7),
    printable(String(msg ?? "")),
  ].join(" ");
  const tail = short.length === 0 ? "" : `  ${paint("faint", short.join(" "))}`;
  const below = fields.filter(isLong).flatMap(([, value]) => String(value).split("\n"));
  return [`${head}${tail}`, ...below.map((text) => `    ${printable(text)}`)];
}

function formatField([key, value]: [string, unknown]): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return printable(`${key}=${/[\s"=]/.test(text) ? JSON.stringify(text) : text}`);
}

/** `17:04:05.123`, where the reader is. */
function clockOf(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return printable(time);
  const two = (value: number): string => String(value).padStart(2, "0");
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two);
  return `${parts.join(":")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined; // a line that only looks like one
  }
}

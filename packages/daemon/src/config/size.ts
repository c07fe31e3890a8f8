import { accept, type Reading, refuse } from "./reading.ts";

/** The units of sizes, in bytes. Powers of two only: `MB` would leave open which one is meant. */
const unitBytes: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};
const unitNames = Object.keys(unitBytes);

/** Limits of a size, in bytes, both allowed. */
export interface SizeRange {
  readonly min: number;
  readonly max: number;
}

/** `64KiB`: the largest unit that gives a whole number. */
export function formatSize(bytes: number): string {
  let text = `${bytes}B`;
  for (const name of unitNames) {
    const unit = unitBytes[name]!;
    if (bytes >= unit && bytes % unit === 0) text = `${bytes / unit}${name}`;
  }
  return text;
}

/** Reads `"64 KiB"`, `"16MiB"` or a whole number of bytes (a bigint, as the TOML parser gives it). */
export function readSize(value: unknown, range: SizeRange): Reading<number> {
  const expected = `a size from ${formatSize(range.min)} to ${formatSize(range.max)}`;
  const units = `in ${unitNames.slice(0, -1).join(", ")} or ${unitNames.at(-1)}`;
  if (typeof value === "bigint") return within(Number(value), range, expected);
  if (typeof value !== "string") return refuse(`${expected} ${units}, such as "64KiB"`);

  const match = /^\s*(\d{1,15})\s*([A-Za-z]*)\s*$/.exec(value);
  if (!match) return refuse(`${expected}, a whole number and a unit such as "64KiB"`);
  const [, digits = "", written = ""] = match;
  const unit = written === "" ? 1 : unitBytes[written];
  if (unit !== undefined) return within(Number(digits) * unit, range, expected);
  const meant = unitNames.find((name) => name[0] === written[0]?.toUpperCase());
  const hint = meant === undefined ? "" : `Did you mean "${digits}${meant}"?`;
  return refuse(`${expected} ${units}`, hint);
}

function within(bytes: number, range: SizeRange, expected: string): Reading<number> {
  return bytes >= range.min && bytes <= range.max ? accept(bytes) : refuse(expected);
}

/** Which results a plot or a target is about. */
import type { ResultLine } from "../launcher/result-line.ts";

type Parameters = Readonly<Record<string, string | number>>;

/** Whether parameters have the values that are asked for. */
export function isWhere(parameters: Parameters, where: Parameters): boolean {
  return Object.entries(where).every(([name, value]) => parameters[name] === value);
}

/** Names of parameters that do not have the same value in all lines, in order of appearance. */
export function variedIn(lines: readonly ResultLine[]): string[] {
  const names = new Set(lines.flatMap(({ parameters }) => Object.keys(parameters)));
  return [...names].filter(
    (name) => new Set(lines.map(({ parameters }) => parameters[name])).size > 1,
  );
}

/** Values of a parameter: numbers in order, others as they come. */
export function valuesOf(lines: readonly ResultLine[], name: string): (string | number)[] {
  const values = [...new Set(lines.map(({ parameters }) => parameters[name]))].filter(
    (value) => value !== undefined,
  );
  if (!values.every((value) => typeof value === "number")) return values;
  return values.toSorted((a, b) => Number(a) - Number(b));
}

/** A line in words, without the parameters that go without saying: `koala-tcp, policies 5`. */
export function labelOf({ system, parameters }: ResultLine, told: readonly string[]): string {
  const rest = told
    .filter((name) => parameters[name] !== undefined)
    .map((name) => {
      const value = parameters[name]!;
      return typeof value === "number" ? `${name} ${value}` : value;
    });
  return [system, ...rest].join(", ");
}

/** The lowest and the highest value of any round; null when there were not several. */
export function spreadOf({ rounds }: ResultLine, figure: string): readonly [number, number] | null {
  const values = rounds?.[figure] ?? [];
  return values.length < 2 ? null : [Math.min(...values), Math.max(...values)];
}

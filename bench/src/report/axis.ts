/** Axes: the range they cover, where their ticks are, and how far along a value lies. */
import { formatTick, isBytes } from "./units.ts";

export interface Axis {
  readonly kind: "linear" | "log";
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
  /** An expression of Vega for the text at a tick. */
  readonly labels: string;
}

const linearTicks = 6;
const logTicksMax = 8;

/** An axis on which all `values` can be seen; zero and less can't on a logarithmic one, and are left out. */
export function axisOf(name: string, kind: "linear" | "log", values: readonly number[]): Axis {
  const positive = values.filter((value) => value > 0);
  if (kind === "log" && positive.length > 0) {
    const { min, max, ticks } = logRange(Math.min(...positive), Math.max(...positive));
    return { kind, min, max, ticks, labels: labelsOf(name, ticks) };
  }
  const top = Math.max(0, ...values);
  const bottom = Math.min(0, ...values);
  const step = roundStep(name, (top - bottom || 1) / linearTicks);
  const first = Math.floor(bottom / step);
  const last = Math.max(Math.ceil(top / step), first + 1);
  const ticks = Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
  return {
    kind: "linear",
    min: ticks[0]!,
    max: ticks.at(-1)!,
    ticks,
    labels: labelsOf(name, ticks),
  };
}

/** An axis with a tick at each value: for what was varied. */
export function parameterAxis(
  name: string,
  kind: "linear" | "log",
  values: readonly number[],
): Axis {
  const ticks = [...new Set(values)].sort((a, b) => a - b);
  const whole = axisOf(name, kind, values);
  if (whole.kind === "linear") {
    const max = Math.max(whole.min + 1e-9, ...ticks);
    return { ...whole, max, ticks: whole.ticks.filter((tick) => tick <= max) };
  }
  const spaced = spread(ticks);
  return {
    kind,
    min: ticks[0]!,
    max: ticks.at(-1)!,
    ticks: spaced,
    labels: labelsOf(name, spaced),
  };
}

/** Where a value is, from 0 at the beginning of the axis to 1 at its end. */
export function positionOn(axis: Axis, value: number): number {
  if (axis.max === axis.min) return 0.5;
  if (axis.kind === "linear") return (value - axis.min) / (axis.max - axis.min);
  return Math.log(Math.max(value, axis.min) / axis.min) / Math.log(axis.max / axis.min);
}

/** Powers of 10, between them 2 and 5 where there is room; ends a little outside of what is shown. */
function logRange(low: number, high: number): { min: number; max: number; ticks: number[] } {
  const min = low / 1.15;
  const max = Math.max(high * 1.15, min * 4);
  const ticksAt = (factors: readonly number[]) => {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power++) {
      for (const factor of factors) {
        const tick = Number((factor * 10 ** power).toPrecision(12));
        if (tick >= min && tick <= max) ticks.push(tick);
      }
    }
    return ticks;
  };
  const fine = ticksAt([1, 2, 5]);
  return { min, max, ticks: fine.length <= logTicksMax ? fine : ticksAt([1]) };
}

/** So few of the values that their texts have room. */
function spread(ticks: readonly number[]): readonly number[] {
  const every = Math.ceil(ticks.length / 10);
  return ticks.filter((_, index) => index % every === 0);
}

function roundStep(name: string, step: number): number {
  if (isBytes(name) && step >= 1) return 2 ** Math.ceil(Math.log2(step));
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 2.5, 5, 10].find((each) => each * power >= step * 0.999) ?? 10;
  return factor * power;
}

function labelsOf(name: string, ticks: readonly number[]): string {
  const texts = Object.fromEntries(ticks.map((tick) => [String(tick), formatTick(name, tick)]));
  return `(${JSON.stringify(texts)})[toString(datum.value)] || ''`;
}

/** A row for each `name`, in the order of the data: the vertical axis of plots whose bars lie. */
export const nameRows: object = {
  field: "name",
  type: "nominal",
  sort: null,
  title: null,
  axis: { domain: false, ticks: false, labelPadding: 8, labelLimit: 260 },
};

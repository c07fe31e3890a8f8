/** Sums of what was measured. */

/** The nearest-rank percentile of ascending numbers; null when there are none. */
export function percentile(ascending: Float64Array, percent: number): number | null {
  const rank = Math.ceil((ascending.length * percent) / 100);
  return ascending[Math.max(rank, 1) - 1] ?? null;
}

/** The middle one, or the mean of the middle two; null when there are none. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const ascending = [...values].sort((a, b) => a - b);
  const middle = ascending.length >> 1;
  if (ascending.length % 2 === 1) return ascending[middle]!;
  return (ascending[middle - 1]! + ascending[middle]!) / 2;
}

/** Adds up, where null stands for what is not known: the sum of nothing but nulls is null. */
export function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}

/** `a / b`, null when one is missing or `b` is 0. */
export function ratio(a: number | null, b: number | null): number | null {
  return a === null || b === null || b === 0 ? null : a / b;
}

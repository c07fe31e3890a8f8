/** Sets of characters, as ranges of code points. */

export type Ranges = readonly (readonly [first: number, last: number])[];

const last = 0x10ffff;

const classes: Record<string, Ranges> = {
  "\\d": [[48, 57]],
  "\\w": [
    [48, 57],
    [65, 90],
    [95, 95],
    [97, 122],
  ],
  "\\s": [
    [9, 10],
    [12, 13],
    [32, 32],
  ],
  "\\t": [[9, 9]],
  "\\n": [[10, 10]],
  "\\v": [[11, 11]],
  "\\f": [[12, 12]],
  "\\r": [[13, 13]],
  "\\a": [[7, 7]],
};

/** Of one character, or of an escape such as `\d`; none for an escape that stands for nothing. */
export function rangesOf(text: string): Ranges {
  const known = classes[text];
  if (known !== undefined) return known;
  if (text === "\\D" || text === "\\W" || text === "\\S") {
    return withoutRanges(classes[text.toLowerCase()]!);
  }
  if (text.length === 2 && text.startsWith("\\")) return [];
  const code = text.codePointAt(0);
  return code === undefined ? [] : [[code, code]];
}

/** All characters but these. */
export function withoutRanges(ranges: Ranges): Ranges {
  const sorted = ranges.toSorted((a, b) => a[0] - b[0]);
  const others: [number, number][] = [];
  let next = 0;
  for (const [low, high] of sorted) {
    if (low > next) others.push([next, low - 1]);
    next = Math.max(next, high + 1);
  }
  if (next <= last) others.push([next, last]);
  return others;
}

/** These and, for the letters of ASCII, their other case. */
export function withBothCases(ranges: Ranges): Ranges {
  const all: (readonly [number, number])[] = [...ranges];
  for (const [low, high] of ranges) {
    addShifted(all, Math.max(low, 65), Math.min(high, 90), 32);
    addShifted(all, Math.max(low, 97), Math.min(high, 122), -32);
  }
  return all;
}

function addShifted(
  all: (readonly [number, number])[],
  low: number,
  high: number,
  by: number,
): void {
  if (low <= high) all.push([low + by, high + by]);
}

export function includes(ranges: Ranges, code: number): boolean {
  return ranges.some(([low, high]) => low <= code && code <= high);
}

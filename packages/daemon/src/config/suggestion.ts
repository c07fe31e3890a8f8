/**
 * "Did you mean": the known word that is nearest to a mistyped one. Used for keys and words of
 * `koala.toml` and for log specifications.
 */

/** Longer words are not compared: the work is quadratic and nobody mistypes a known word that far. */
const wordLengthMax = 64;

/**
 * Edits that turn `source` into `target`: insert, delete, replace, swap two neighbours, each used at
 * most once a place (the "optimal string alignment" distance).
 */
export function editDistance(source: string, target: string): number {
  let beforePrevious: number[] = [];
  let previous: number[] = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (let row = 1; row <= source.length; row++) {
    const current: number[] = [row];
    for (let column = 1; column <= target.length; column++) {
      const same = source[row - 1] === target[column - 1];
      let cost = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (same ? 0 : 1),
      );
      const swapped =
        source[row - 1] === target[column - 2] && source[row - 2] === target[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[target.length]!;
}

/**
 * The candidate nearest to `word`, or undefined when none is near: one edit is forgiven for every
 * three characters, at least one and at most three. Case and `-` for `_` do not count.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > wordLengthMax) return undefined;
  const edits = Math.min(3, Math.max(1, Math.floor(word.length / 3)));
  let best: string | undefined;
  let bestDistance = edits + 1;
  for (const candidate of candidates) {
    const distance = editDistance(folded(word), folded(candidate));
    // A distance as long as the word replaces all of it: not a typing mistake.
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `Did you mean "listen"?`, or "" when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const best = suggest(word, candidates);
  return best === undefined ? "" : `Did you mean "${best}"?`;
}

function folded(word: string): string {
  return word.toLowerCase().replaceAll("-", "_");
}

/** "Did you mean": the known word that is nearest to a mistyped one. */

/** Edits (insert, delete, replace) that turn one word into the other. */
export function editDistance(source: string, target: string): number {
  let previous = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (let row = 1; row <= source.length; row++) {
    const current = [row];
    for (let column = 1; column <= target.length; column++) {
      const replaced = previous[column - 1]! + Number(source[row - 1] !== target[column - 1]);
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, replaced));
    }
    previous = current;
  }
  return previous[target.length]!;
}

/** The nearest of the candidates; undefined when none has half of the word in common. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const distances = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(word, candidate),
  }));
  const [best] = distances.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= word.length / 2 ? best.candidate : undefined;
}

/** When calls are due that nobody coordinates: a Poisson process, its gaps are exponential. */
import { Prng } from "@koala/testing";

/** Times in milliseconds from the start, ascending; each call gives the next one. */
export function poissonArrivals(rate: number, seed: number): () => number {
  const prng = new Prng(seed);
  const meanMs = 1000 / rate;
  let at = 0;
  return () => {
    // From above 0 to 1, so that the logarithm exists.
    const uniform = (prng.next() + 1) / 0x1_0000_0000;
    at -= Math.log(uniform) * meanMs;
    return at;
  };
}

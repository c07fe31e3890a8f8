/**
 * Where the measured calls ask for: points scattered around big cities of all continents, the same ones in
 * every run and for every system.
 */

/** Latitude and longitude in degrees. */
export type Place = readonly [lat: number, lon: number];

const centres: readonly Place[] = [
  [47.37, 8.54],
  [35.68, 139.69],
  [-23.55, -46.64],
  [40.71, -74.01],
  [6.45, 3.4],
  [28.65, 77.23],
  [-33.87, 151.21],
  [19.43, -99.13],
  [55.75, 37.62],
  [30.06, 31.25],
];

/** `count` places, each up to about 100 km from the centre of a big city. */
export function placesAround(count: number): Place[] {
  const next = randomFrom(20_260_101);
  return Array.from({ length: count }, (_, index) => {
    const [lat, lon] = centres[index % centres.length]!;
    return [lat + (next() - 0.5) * 2, lon + (next() - 0.5) * 2];
  });
}

/** Numbers from 0 to 1 by a linear congruential generator (Numerical Recipes' constants). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Finds cities by place and by name. The spatial part is a static k-d tree (kdbush) that geokdbush walks
 * with distances on the sphere; the part by name is one map into chains of cities of the same folded name.
 */
import { around, distance } from "geokdbush";
import KDBush from "kdbush";
import type { CityRecord } from "./cities.ts";
import { foldName } from "./fold-name.ts";

/** A city and how far it is from the place that was asked for. */
export interface CityAtDistance {
  readonly city: CityRecord;
  readonly distanceKm: number;
}

/** Made once, never changed. */
export interface GeoIndex {
  readonly cityCount: number;
  /** At most `limit` cities, nearest first, across the date line and the poles, too. */
  nearest(lat: number, lon: number, limit: number): CityAtDistance[];
  /**
   * The most populous city whose folded name equals the folded `name`, or undefined. `country` (any case)
   * narrows the choice unless it is empty.
   */
  lookup(name: string, country: string): CityRecord | undefined;
}

/** Builds both indexes: about 0.2 s for all cities of the world. */
export function createGeoIndex(cities: readonly CityRecord[]): GeoIndex {
  const tree = buildTree(cities);
  const names = buildNames(cities);
  return {
    cityCount: cities.length,
    nearest: (lat, lon, limit) =>
      around(tree, lon, lat, limit).map((index) => {
        const city = cities[index]!;
        return { city, distanceKm: distance(lon, lat, city.lon, city.lat) };
      }),
    lookup: (name, country) => lookupName(cities, names, name, country),
  };
}

/** Points in a leaf of the tree. With 16, a query takes 15 % less than with kdbush's 64. */
const leafSize = 16;

function buildTree(cities: readonly CityRecord[]): KDBush {
  const tree = new KDBush(cities.length, leafSize);
  for (const city of cities) tree.add(city.lon, city.lat);
  return tree.finish();
}

/**
 * `first` gives the first city of a folded name, `next` the one after it, -1 at the end of the chain. Most
 * names occur once, so an array for each would cost more than the rest of the index.
 */
interface NameChains {
  readonly first: ReadonlyMap<string, number>;
  readonly next: Int32Array;
}

function buildNames(cities: readonly CityRecord[]): NameChains {
  const first = new Map<string, number>();
  const next = new Int32Array(cities.length);
  cities.forEach((city, index) => {
    const name = foldName(city.name);
    next[index] = first.get(name) ?? -1;
    first.set(name, index);
  });
  return { first, next };
}

function lookupName(
  cities: readonly CityRecord[],
  names: NameChains,
  name: string,
  country: string,
): CityRecord | undefined {
  const wanted = country.toUpperCase();
  let best: CityRecord | undefined;
  for (let index = names.first.get(foldName(name)) ?? -1; index >= 0; index = names.next[index]!) {
    const city = cities[index]!;
    if (wanted !== "" && city.country !== wanted) continue;
    if (best === undefined || isBigger(city, best)) best = city;
  }
  return best;
}

/** By population, then the older GeoNames number, so that the answer never depends on the data's order. */
function isBigger(one: CityRecord, other: CityRecord): boolean {
  return one.population === other.population
    ? one.id < other.id
    : one.population > other.population;
}

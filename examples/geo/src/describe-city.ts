import type { City } from "./gen/geo/v1/geo_pb.ts";

const people: Intl.NumberFormat = new Intl.NumberFormat("en");
const countries: Intl.DisplayNames = new Intl.DisplayNames("en", { type: "region" });

/** Most countries number their first level, which tells nobody anything; these codes are letters. */
const tellingAdmin = /^[A-Z]{2,3}$/;

/** One city in one line, as the example's client prints it. */
export function describeCity(city: City): string {
  const distance = city.distanceKm === undefined ? "" : `${city.distanceKm.toFixed(1)} km`;
  const region = tellingAdmin.test(city.admin) ? ` (${city.admin})` : "";
  const size = city.population === 0 ? "" : `, ${people.format(city.population)} people`;
  const where = `${city.name}${region}, ${countries.of(city.country)}${size}`;
  return distance === "" ? where : `${distance.padStart(9)}  ${where}`;
}

/**
 * Serves geo.v1.Geo under the name "geo" through the daemon of this host, whose directory is taken from
 * KOALA_PREFIX. Prints one line when it takes calls, and ends on SIGTERM or SIGINT.
 */
import { serve } from "@koala/mrpc";
import { loadCities } from "./cities.ts";
import { Geo } from "./gen/geo/v1/geo_pb.ts";
import { createGeoIndex } from "./geo-index.ts";
import { geoService } from "./geo-service.ts";

const index = createGeoIndex(loadCities());
const server = await serve({ name: "geo" }, (router) => {
  router.service(Geo, geoService(index));
});
console.log(`geo: serving ${index.cityCount} cities`);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => void server.close());
}

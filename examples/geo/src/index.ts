/**
 * The geo service as a library: its schema, its data and its handlers, for tests and other programs that
 * need a real service. The programs beside it (`server`, `client`, `demo`) are started as processes.
 *
 * @packageDocumentation
 */
export { type CityRecord, loadCities } from "./cities.ts";
export {
  type City,
  CitySchema,
  Geo,
  type LookupRequest,
  LookupRequestSchema,
  type NearestRequest,
  NearestRequestSchema,
  type NearestResponse,
  NearestResponseSchema,
} from "./gen/geo/v1/geo_pb.ts";
export { type CityAtDistance, createGeoIndex, type GeoIndex } from "./geo-index.ts";
export { type GeoService, geoService, nearestLimitMax } from "./geo-service.ts";

/**
 * The service itself: what a handler does with a request, with no word about how the request came. The
 * Koala server and the gRPC server of this example run the same object.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { RpcError, Status } from "@koala/mrpc";
import type { CityRecord } from "./cities.ts";
import type {
  CitySchema,
  LookupRequest,
  NearestRequest,
  NearestResponseSchema,
} from "./gen/geo/v1/geo_pb.ts";
import type { GeoIndex } from "./geo-index.ts";

/** The most cities that one Nearest returns. */
export const nearestLimitMax = 100;

/**
 * The handlers of geo.v1.Geo. They satisfy `ServiceImpl<typeof Geo>` of `@koala/mrpc` and leave its context
 * out, since neither needs more than the request.
 */
export interface GeoService {
  nearest(request: NearestRequest): MessageInitShape<typeof NearestResponseSchema>;
  lookup(request: LookupRequest): MessageInitShape<typeof CitySchema>;
}

/** Implements geo.v1.Geo over an index. A handler that throws an RpcError ends its call with that status. */
export function geoService(index: GeoIndex): GeoService {
  return {
    nearest: ({ lat, lon, limit }) => {
      checkRange("lat", lat, -90, 90);
      checkRange("lon", lon, -180, 180);
      checkRange("limit", limit, 1, nearestLimitMax);
      const found = index.nearest(lat, lon, limit);
      return { cities: found.map(({ city, distanceKm }) => cityMessage(city, distanceKm)) };
    },
    lookup: ({ name, country }) => {
      const city = index.lookup(name, country);
      if (city === undefined) throw cityNotFound(name, country);
      return cityMessage(city, undefined);
    },
  };
}

/** Written so that NaN, which compares with nothing, is out of range as well. */
function checkRange(field: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `${field} is ${value}, but must be from ${min} to ${max}`,
  );
}

function cityNotFound(name: string, country: string): RpcError {
  const where = country === "" ? "" : ` in ${country.toUpperCase()}`;
  return new RpcError(
    Status.NOT_FOUND,
    `no city${where} is called "${name}"; names are as GeoNames writes them, mostly in English`,
  );
}

function cityMessage(
  city: CityRecord,
  distanceKm: number | undefined,
): MessageInitShape<typeof CitySchema> {
  return {
    id: city.id,
    name: city.name,
    country: city.country,
    admin: city.admin,
    lat: city.lat,
    lon: city.lon,
    population: city.population,
    featureCode: city.featureCode,
    distanceKm,
  };
}

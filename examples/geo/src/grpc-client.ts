/** The calling side of geo.v1.Geo over grpc-js: as much of it as the comparison needs. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { Geo, NearestRequestSchema, type NearestResponse } from "./gen/geo/v1/geo_pb.ts";
import { grpcMethod } from "./grpc-method.ts";

/** A connected client. Close it, or the process does not end. */
export interface GrpcGeoClient {
  /** Rejects with grpc-js's ServiceError. */
  nearest(request: MessageInitShape<typeof NearestRequestSchema>): Promise<NearestResponse>;
  close(): void;
}

/** Opens a channel to `address`, `host:port`; grpc-js connects on the first call. */
export function connectGrpc(address: string): GrpcGeoClient {
  const client = new Client(address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = grpcMethod(Geo.method.nearest);
  return {
    nearest: (init) =>
      new Promise((resolve, reject) => {
        const request = create(NearestRequestSchema, init);
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          (error, reply) => {
            if (error !== null) reject(error);
            else resolve(reply!);
          },
        );
      }),
    close: () => client.close(),
  };
}

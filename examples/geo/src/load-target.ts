import { type Ask, citiesPerReply } from "./measurement.ts";

/** A system under test, ready for calls. */
export interface LoadTarget {
  readonly ask: Ask;
  close(): Promise<void>;
}

/**
 * Connects to a system by name. Each is imported only when it is the one, so that no process carries code
 * of another system.
 */
export async function openTarget(system: string, address: string): Promise<LoadTarget> {
  if (system === "koala") return openKoala();
  if (system === "grpc") return openGrpc(address);
  throw new Error(`unknown system "${system}": expected koala or grpc`);
}

async function openKoala(): Promise<LoadTarget> {
  const { connect } = await import("@koala/mrpc");
  const { Geo } = await import("./gen/geo/v1/geo_pb.ts");
  const mesh = await connect();
  const geo = mesh.client(Geo, "geo");
  return {
    ask: async (lat, lon) => (await geo.nearest({ lat, lon, limit: citiesPerReply })).cities.length,
    close: async () => {
      await mesh.close();
    },
  };
}

async function openGrpc(address: string): Promise<LoadTarget> {
  const { connectGrpc } = await import("./grpc-client.ts");
  const geo = connectGrpc(address);
  return {
    ask: async (lat, lon) => (await geo.nearest({ lat, lon, limit: citiesPerReply })).cities.length,
    close: async () => geo.close(),
  };
}

/** All peers, by the name that system files call them by. */
import { envoy } from "./envoy.ts";
import { grpcCpp } from "./grpc-cpp.ts";
import { haproxy } from "./haproxy.ts";
import type { Peer } from "./peer.ts";

export const peers: readonly Peer[] = [grpcCpp, envoy, haproxy];

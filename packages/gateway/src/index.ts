/**
 * gRPC, gRPC-Web and Connect at the edge of the mesh.
 *
 * @packageDocumentation
 */
export { ServiceCatalog } from "./describe/service-catalog.ts";
export { type Gateway, startGateway } from "./gateway.ts";
export {
  type EgressSettings,
  type EgressTlsSettings,
  egressDefaults,
  type GatewaySettings,
  gatewayDefaults,
  type IngressSettings,
  type IngressTlsSettings,
  ingressDefaults,
} from "./gateway-options.ts";
export { Ingress, type IngressLimits, type IngressOptions } from "./ingress/ingress.ts";

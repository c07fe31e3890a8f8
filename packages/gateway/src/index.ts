/**
 * gRPC, gRPC-Web and Connect at the edge of the mesh.
 *
 * @packageDocumentation
 */
export { ServiceCatalog } from "./describe/service-catalog.ts";
export { Ingress, type IngressLimits, type IngressOptions } from "./ingress/ingress.ts";

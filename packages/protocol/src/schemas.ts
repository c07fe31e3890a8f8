/**
 * Checks of untrusted JSON on the three borders, for the daemon and the tools; loads zod.
 *
 * @packageDocumentation
 */
export { appRequestSchema } from "./app/control-schema.ts";
export {
  bindSchema,
  describeSchema,
  goawaySchema,
  helloSchema,
  refusedSchema,
  servicesSchema,
} from "./link/handshake-schema.ts";

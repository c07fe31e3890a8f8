/**
 * Sends copies of requests elsewhere (shadow traffic).
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "mirror"
 * match = { target = "geo", side = "client" }
 * config = { target = "geo-next", probability = 0.1 }
 * ```
 *
 * @packageDocumentation
 */
import { mirrorPolicy } from "./policy.ts";

export type { MirrorConfig } from "./config.ts";
export { mirrorPolicy } from "./policy.ts";
export default mirrorPolicy;

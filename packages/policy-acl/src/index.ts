/**
 * Allow and deny rules over callers, methods, metadata and typed message fields.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "acl"
 * match = { service = "shop.v1.Shop" }
 *
 * [policy.config]
 * default = "deny"
 *
 * [[policy.config.rules]]
 * name = "large-orders"
 * effect = "deny"
 * method = "Buy"
 * when = "request.cents > 100000 && caller.app != 'backoffice'"
 *
 * [[policy.config.rules]]
 * name = "the-web"
 * effect = "allow"
 * caller = ["web", "backoffice"]
 * ```
 *
 * @packageDocumentation
 */
import { aclPolicy } from "./policy.ts";

export type { AclConfig, AclRule } from "./config.ts";
export type { AclState } from "./policy.ts";
export { aclPolicy } from "./policy.ts";
export default aclPolicy;

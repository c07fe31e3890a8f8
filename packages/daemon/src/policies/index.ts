/** The control plane of policies: what is attached, and every change of it. */
export { ownRequester, type Requester } from "./change-request.ts";
export { checkPolicies } from "./check-policies.ts";
export { PolicyManager, type PolicyManagerOptions } from "./policy-manager.ts";
export { addPolicyRoutes } from "./policy-routes.ts";

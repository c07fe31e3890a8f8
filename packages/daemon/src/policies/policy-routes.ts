/** Policies and revisions at the admin socket. */
import { AdminRefused, type AdminRegistry } from "../control/admin-registry.ts";
import { adminRequester } from "./change-request.ts";
import type { PolicyManager } from "./policy-manager.ts";
import { applyBody, attachBody, detachBody, rollbackBody, setBody } from "./policy-request.ts";

/** Adds the routes; `/v1/upgrade` is there for other modules, too. */
export function addPolicyRoutes(registry: AdminRegistry, policies: PolicyManager): void {
  registry.add({ method: "GET", path: "/v1/policies", handle: () => policies.list() });
  registry.add({
    method: "POST",
    path: "/v1/policies/attach",
    body: attachBody,
    handle: ({ body: { policy, dryRun = false }, peer }) =>
      policies.attach(policy, dryRun, adminRequester(peer)),
  });
  registry.add({
    method: "POST",
    path: "/v1/policies/detach",
    body: detachBody,
    handle: ({ body: { name, dryRun = false }, peer }) =>
      policies.detach(name, dryRun, adminRequester(peer)),
  });
  registry.add({
    method: "POST",
    path: "/v1/policies/set",
    body: setBody,
    handle: ({ body, peer }) => policies.set(body, adminRequester(peer)),
  });
  registry.add({
    method: "POST",
    path: "/v1/config/apply",
    body: applyBody,
    handle: ({ body: { reset = false, dryRun = false }, peer }) =>
      policies.apply({ reset, dryRun }, adminRequester(peer)),
  });
  registry.add({
    method: "POST",
    path: "/v1/config/rollback",
    body: rollbackBody,
    handle: ({ body: { revision, dryRun = false }, peer }) =>
      policies.rollback(revision, dryRun, adminRequester(peer)),
  });
  registry.add({
    method: "GET",
    path: "/v1/config/history",
    handle: () => policies.history(),
  });
  registry.add({
    method: "GET",
    path: "/v1/config/diff",
    query: ["from", "to"],
    handle: ({ query }) => policies.diff(readNumber(query, "from"), readNumber(query, "to")),
  });
}

function readNumber(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new AdminRefused(
    400,
    "ERR_ADMIN_QUERY",
    `/v1/config/diff: ${key} must be the number of a revision, found ${JSON.stringify(text)}`,
  );
}

/** Modules at the admin socket, be they engines or policies: which there are, and newer code for them. */
import { KoalaError } from "@koala/interface";
import type { ChangeAnswer, ModuleStatus, UpgradeModuleRequest } from "@koala/protocol";
import { z } from "zod";
import { offeredToEngines } from "../engines/engine-module.ts";
import { offeredToPolicies } from "../modules/index.ts";
import type { AdminRegistry, AdminRequest } from "./admin-registry.ts";

/** Somebody whose modules can be upgraded. */
export interface ModuleUpgrades {
  /** Whether it has a module of this name. */
  has(module: string): boolean;
  upgrade(
    request: UpgradeModuleRequest,
    peer: AdminRequest<UpgradeModuleRequest>["peer"],
  ): Promise<ChangeAnswer>;
}

const upgradeBody = z.strictObject({
  module: z.string().min(1),
  path: z.string().min(1).optional(),
  dryRun: z.boolean().optional(),
}) as z.ZodType<UpgradeModuleRequest>;

/** `GET /v1/modules`: what is loaded, by whom. */
export function addModulesRoute(
  registry: AdminRegistry,
  owners: readonly { modules(): ModuleStatus[] }[],
): void {
  registry.add({
    method: "GET",
    path: "/v1/modules",
    handle: () => ({
      offers: [...offeredToPolicies, ...offeredToEngines],
      modules: owners.flatMap((owner) => owner.modules()),
    }),
  });
}

/** `POST /v1/upgrade`: the first of `upgrades` that has a module upgrades it. */
export function addModuleUpgradeRoute(
  registry: AdminRegistry,
  upgrades: readonly ModuleUpgrades[],
): void {
  registry.add({
    method: "POST",
    path: "/v1/upgrade",
    body: upgradeBody,
    handle: async ({ body, peer }) => {
      const owner = upgrades.find((each) => each.has(body.module));
      if (owner !== undefined) return await owner.upgrade(body, peer);
      throw new KoalaError(
        "ERR_MODULE_MISSING",
        `no module "${body.module}" is in use; expected "frontend", "adapter" or the name of a policy that is attached, see koalactl policy list`,
      );
    },
  });
}

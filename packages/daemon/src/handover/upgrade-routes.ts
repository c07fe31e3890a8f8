/** `POST /v1/upgrade/daemon`: the next daemon takes over. */
import type { DaemonUpgradeAnswer, DaemonUpgradeRequest } from "@koala/protocol";
import { z } from "zod";
import type { AdminRegistry } from "../control/admin-registry.ts";

/** Loading a program and handing over may take a while on a busy machine. */
const limitMs = 120_000;

const requestSchema: z.ZodType<DaemonUpgradeRequest> = z.strictObject({
  dryRun: z.boolean().optional(),
  program: z.string().min(1).max(4096).optional(),
}) as z.ZodType<DaemonUpgradeRequest>;

export function addUpgradeRoutes(
  registry: AdminRegistry,
  upgrade: (request: DaemonUpgradeRequest) => Promise<DaemonUpgradeAnswer>,
): void {
  registry.add<DaemonUpgradeRequest>({
    method: "POST",
    path: "/v1/upgrade/daemon",
    body: requestSchema,
    limitMs,
    handle: ({ body }) => upgrade(body),
  });
}

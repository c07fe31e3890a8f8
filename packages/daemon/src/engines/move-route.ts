/** `POST /v1/runtimes/move`: an app goes to another runtime. */
import type { MoveRequest } from "@koala/protocol";
import { z } from "zod";
import type { AdminRegistry } from "../control/admin-registry.ts";
import type { AppMoves } from "./app-moves.ts";

const moveBody: z.ZodType<MoveRequest> = z.strictObject({
  app: z.int().min(1),
  runtime: z.int().min(0),
});

export function addMoveRoute(registry: AdminRegistry, moves: AppMoves): void {
  registry.add({
    method: "POST",
    path: "/v1/runtimes/move",
    body: moveBody,
    handle: ({ body: { app, runtime } }) => moves.move(app, runtime),
  });
}

/**
 * The check of what apps send over the control channel. Apart from `control.ts` so that apps, which
 * only need the types, do not load zod.
 */
import { z } from "zod";
import type { AppRequest } from "./control.ts";

const seq = z.number().int().nonnegative();
const name = z.string().min(1).max(255);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** Unknown keys and operations are refused: the daemon closes the channel with a reason. */
export const appRequestSchema: z.ZodType<AppRequest> = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("hello"),
    version: z.number().int(),
    name,
    library: z.string().max(64),
    thread: z.number().int().nonnegative(),
  }),
  z.strictObject({
    op: z.literal("bind"),
    seq,
    target: name,
    service: name,
    hash,
    schemaBytes: z.number().int().positive(),
  }),
  z.strictObject({
    op: z.literal("serve"),
    seq,
    name,
    service: name,
    hash,
    schemaBytes: z.number().int().positive(),
  }),
  z.strictObject({ op: z.literal("unserve"), seq, export: z.number().int().nonnegative() }),
  z.strictObject({ op: z.literal("grow"), seq, bytes: z.number().int().positive() }),
  z.strictObject({ op: z.literal("shrink"), region: z.number().int().nonnegative() }),
]);

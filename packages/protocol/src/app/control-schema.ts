/**
 * The check of what apps send over the control channel. Apart from `control.ts` so that apps, which
 * only need the types, do not load zod.
 */
import { z } from "zod";
import type { AppRequest } from "./control.ts";

const seq = z.number().int().nonnegative();
const name = z.string().min(1).max(255);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** Labels of an app: what policies can select by. */
export const labelsSchema: z.ZodType<Record<string, string>> = z
  .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/), z.string().max(255))
  .refine((labels) => Object.keys(labels).length <= 32, "expected up to 32 labels");

/** Unknown keys and operations are refused: the daemon closes the channel with a reason. */
export const appRequestSchema: z.ZodType<AppRequest> = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("hello"),
    version: z.number().int(),
    name,
    library: z.string().max(64),
    thread: z.number().int().nonnegative(),
    labels: labelsSchema.optional(),
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
  z.strictObject({ op: z.literal("describe"), seq, service: name, target: name.optional() }),
  z.strictObject({ op: z.literal("services"), seq, watch: z.boolean() }),
  z.strictObject({ op: z.literal("grow"), seq, bytes: z.number().int().positive() }),
  z.strictObject({ op: z.literal("shrink"), region: z.number().int().nonnegative() }),
]);

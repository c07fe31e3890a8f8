/** The check of what a peer sends in cold frames; a body that does not fit closes the link. */
import { z } from "zod";
import { labelsSchema } from "../app/control-schema.ts";
import { offersMax } from "./frame.ts";
import type { Bind, Describe, Goaway, Hello, Refused, Services } from "./handshake.ts";

const name = z.string().min(1).max(255);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.number().int().positive();
const offers = z
  .array(
    z.object({
      name,
      service: name,
      hashes: z.array(hash).max(64),
      instances: z.number().int().nonnegative(),
    }),
  )
  .max(offersMax);

// Objects here are not strict: a newer peer may say more than we know.
export const helloSchema: z.ZodType<Hello> = z.object({
  magic: z.literal("koala-link"),
  version: z.number().int().positive(),
  features: z.array(z.string().max(64)).max(64),
  name,
  instance: z.string().min(8).max(64),
  linkWindow: bytes,
  streamWindow: bytes,
  frameBytes: bytes,
  messageBytes: bytes,
  metadataBytes: bytes,
  services: offers,
});
export const servicesSchema: z.ZodType<Services> = z.object({
  services: offers,
  more: z.boolean().optional(),
});
const caller = z.object({
  app: name,
  host: z.string().max(255),
  uid: z.number().int(),
  labels: labelsSchema,
});
export const bindSchema: z.ZodType<Bind> = z.object({ target: name, service: name, hash, caller });
export const refusedSchema: z.ZodType<Refused> = z.object({
  code: z.string().max(64),
  status: z.number().int().min(1).max(16),
  message: z.string().max(8192),
});
export const describeSchema: z.ZodType<Describe> = z.object({
  service: name,
  target: name.optional(),
});
export const goawaySchema: z.ZodType<Goaway> = z.object({
  code: z.string().max(64),
  reason: z.string().max(1024),
});

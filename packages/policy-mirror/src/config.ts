/** The configuration of a mirror attachment. */
import { durationField, patternsField, probabilityField, z } from "@koala/policy";

/** The `config` table of a `[[policy]]` that uses `mirror`. */
export interface MirrorConfig {
  /** Mesh name that gets the copies. */
  readonly target: string;
  /** Of a request to be copied. */
  readonly probability: number;
  /** Methods whose requests are copied. */
  readonly method: readonly string[];
  /** How long a copy may take, ms. */
  readonly timeout: number;
}

/** Type and defaults of the `config` table. */
export const mirrorConfig: z.ZodType<MirrorConfig> = z.strictObject({
  target: z.string().min(1).max(255),
  probability: probabilityField().default(1),
  method: patternsField().default(["*"]),
  timeout: durationField({ minMs: 1 }).default(5000),
});

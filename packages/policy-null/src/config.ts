import { z } from "@koala/policy";

/** There is nothing to configure. */
export type NullConfig = Readonly<Record<never, never>>;

/** Type of the `config` table: an empty one. */
export const nullConfig: z.ZodType<NullConfig> = z.strictObject({});

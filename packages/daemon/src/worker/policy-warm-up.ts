/**
 * Runs once what the first policy would else be the first to run, while there are no calls that would wait
 * for it. Most of what a policy's code does while it is loaded is to make types of its configuration: done
 * for the first time, that takes the time of ten thousand calls.
 */
import { definePolicy, type PolicyDefinition, z } from "@koala/policy";
import { Slot, type SlotHost } from "@koala/policy/engine";

/** Makes a policy that has a little of everything, and forgets it. */
export function warmUp(host: SlotHost): void {
  const config = createConfig();
  const definition = definePolicy({ name: "warm-up", version: "1.0.0", config });
  config.safeParse({ rules: [{}], kind: { is: "counted" }, unknown: 1 });
  const slot = new Slot({
    id: 0,
    name: definition.name,
    definition: definition as unknown as PolicyDefinition,
    config: config.parse({}),
    shared: new SharedArrayBuffer(0),
    onFailure: "open",
    budgetMicros: 0,
    host,
  });
  slot.stop();
}

/** The kinds of types that policies are configured with. */
function createConfig(): z.ZodType {
  const text = z.string().min(1).max(9).regex(/a/).optional();
  const count = z.number().int().min(0).max(9).default(1);
  const word = z.enum(["a", "b"]).prefault("a");
  const list = z
    .array(z.union([text, count]))
    .max(3)
    .readonly()
    .optional();
  const rule = z.strictObject({ text, count, word, list, flag: z.boolean().default(true) });
  const kind = z.discriminatedUnion("is", [
    z.strictObject({ is: z.literal("plain") }),
    z.strictObject({ is: z.literal("counted"), count }),
  ]);
  const piped = z
    .string()
    .transform((value) => value)
    .pipe(z.string());
  return z
    .strictObject({
      text,
      count,
      word,
      list,
      rule: rule.optional(),
      rules: z.array(rule).default([]),
      table: z.record(z.string(), z.number()).optional(),
      kind: kind.optional(),
      piped: piped.nullable().optional(),
      anything: z.unknown().optional(),
    })
    .superRefine(() => {})
    .transform((value) => value);
}

/**
 * What the daemon that leaves and the one that comes say to each other, over a socket pair that the new
 * process is started with.
 *
 * ```
 *  old                                        new
 *   │ start ────────────────────────────────▶ │ reads its configuration
 *   │ ◀──────────────────────────────── hello │
 *   │ prepare (schemas) ────────────────────▶ │ starts its runtimes, compiles
 *   │ ◀───────────────────────────── prepared │
 *   │ freezes, saves                          │
 *   │ descriptors …, state ─────────────────▶ │ restores, all but the last step
 *   │ ◀───────────────────────────── restored │
 *   │ commit ───────────────────────────────▶ │ takes the state: from here on there is no way back
 *   │ ◀────────────────────────────── running │
 *   ▼ leaves
 * ```
 *
 * Before the state is taken, either side says no (`refused`, `abort`) or just ends, and the old one goes
 * on. An old one that dies after it has sent the state need not: the new one takes over at once.
 */
import { z } from "zod";

/** Of this protocol; the two sides need the same. */
export const handoverVersion = 2;
/** Descriptors that one packet carries. */
export const descriptorsPerPacket = 16;
export const handoverPacketBytesMax: number = 64 * 1024;

/** From the old process. */
export type FromOld =
  /** Two descriptors come with it, of state files: the schemas, and the code of modules. */
  | { op: "prepare"; runtimes: number; instance: string }
  /** The next ones of the state, in order. */
  | { op: "descriptors"; count: number }
  /** The last descriptor: the state. */
  | { op: "state" }
  | { op: "commit" }
  | { op: "abort"; reason: string };

/** From the new process. */
export type FromNew =
  | { op: "hello"; protocol: number; state: number; version: string; pid: number }
  | { op: "prepared" }
  | { op: "refused"; code: string; reason: string }
  | { op: "restored"; failed: number }
  /** `resumedMicros`: when its runtimes went on, by the clock that all processes share. */
  | { op: "running"; resumedMicros: number };

const count = z.number().int().nonnegative();

export const fromOldSchema: z.ZodType<FromOld> = z.discriminatedUnion("op", [
  z.object({ op: z.literal("prepare"), runtimes: count, instance: z.string() }),
  z.object({ op: z.literal("descriptors"), count }),
  z.object({ op: z.literal("state") }),
  z.object({ op: z.literal("commit") }),
  z.object({ op: z.literal("abort"), reason: z.string() }),
]);

export const fromNewSchema: z.ZodType<FromNew> = z.discriminatedUnion("op", [
  z.object({
    op: z.literal("hello"),
    protocol: count,
    state: count,
    version: z.string(),
    pid: count,
  }),
  z.object({ op: z.literal("prepared") }),
  z.object({ op: z.literal("refused"), code: z.string(), reason: z.string() }),
  z.object({ op: z.literal("restored"), failed: count }),
  z.object({ op: z.literal("running"), resumedMicros: z.number() }),
]);

/**
 * What the large messages carry: memory as it comes, with a stamp at both ends that the server checks, so
 * that a system that loses or mixes up bytes does not win. No system is charged with making the data.
 */
import { KoalaError } from "@koala/interface";

const stamp = 0x5a;

/** Marks both ends. */
export function stampEnds(data: Uint8Array): void {
  data[0] = stamp;
  data[data.length - 1] = stamp;
}

/** How many bytes came; throws when it are not those that were sent. */
export function checkEnds(data: Uint8Array): number {
  if (data[0] !== stamp || data[data.length - 1] !== stamp) {
    throw new KoalaError(
      "ERR_BENCH_REPLY",
      `the ${data.length} bytes are not those that were sent`,
    );
  }
  return data.length;
}

/** Throws when a reply speaks of another number of bytes than was sent. */
export function checkReply(expected: number, found: number): void {
  if (expected === found) return;
  throw new KoalaError("ERR_BENCH_REPLY", `sent ${expected} bytes, the reply says ${found}`);
}

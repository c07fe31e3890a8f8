import type { Memory } from "@koala/shm";
import type { MessageCodec } from "./message-codec.ts";

/** Translates messages between two versions of a type. */
export interface Transcoder {
  transcode(
    source: Memory,
    sourceOffset: number,
    sourceInlineLength: number,
    target: Memory,
    targetOffset: number,
    targetLimit: number,
  ): number;
}

/** The transcoder from one layout to another, `null` when they are the same. */
export function transcoderFor(source: MessageCodec, target: MessageCodec): Transcoder | null {
  if (source.hash === target.hash) return null;
  throw new Error("not yet");
}

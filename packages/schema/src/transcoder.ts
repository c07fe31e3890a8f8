/** Messages of one version of a type for an application that has another version. */
import { isAscii, isUtf8 } from "node:buffer";
import type { Memory } from "@koala/shm";
import { layoutBehind } from "./codec.ts";
import { generateTranscoder } from "./generate-transcoder.ts";
import { isSameLayout, type PairClosure, pairLayouts } from "./layout-pair.ts";
import type { MessageCodec } from "./message-codec.ts";
import { compile } from "./source.ts";
import { mergeUnknown, unknownEnum } from "./unknown-fields.ts";

/** Translates messages between two versions of a type. Does not throw and reads no more than it is given. */
export interface Transcoder {
  /**
   * Translates a validated message into `target[targetOffset..targetLimit)`. Returns the inline length, minus
   * the bytes to try next when it does not fit, or 0 when this one message can't be had in the target's
   * version (bytes that became a string and are not UTF-8, a required field that is not set).
   *
   * Segments stay as they are and where they are. They are looked at only where bytes became a string,
   * and then have to follow the inline part, each padded to a multiple of 8.
   */
  transcode(
    source: Memory,
    sourceOffset: number,
    sourceInlineLength: number,
    target: Memory,
    targetOffset: number,
    targetLimit: number,
  ): number;
}

/** Weak on both sides: a transcoder goes when one of the codecs does. */
const transcoders = new WeakMap<MessageCodec, WeakMap<MessageCodec, Transcoder | false>>();

/**
 * The transcoder from one version of a type to another, `null` when their layouts are the same. Throws a
 * KoalaError `ERR_SCHEMA_CONFLICT` that names file, message and field when the versions can't meet.
 */
export function transcoderFor(source: MessageCodec, target: MessageCodec): Transcoder | null {
  if (source.hash === target.hash) return null;
  let targets = transcoders.get(source);
  if (targets === undefined) {
    targets = new WeakMap();
    transcoders.set(source, targets);
  }
  let transcoder = targets.get(target);
  if (transcoder === undefined) {
    const closure = pairLayouts(layoutBehind(source), layoutBehind(target));
    transcoder = isSameLayout(closure) ? false : new GeneratedTranscoder(closure);
    targets.set(target, transcoder);
  }
  return transcoder === false ? null : transcoder;
}

class GeneratedTranscoder implements Transcoder {
  transcode: Transcoder["transcode"];

  constructor(closure: PairClosure) {
    this.transcode = (source, offset, length, target, targetOffset, limit) => {
      const rt = { isAscii, isUtf8, mergeUnknown, unknownEnum };
      this.transcode = compile<Transcoder["transcode"]>(generateTranscoder(closure), { rt });
      return this.transcode(source, offset, length, target, targetOffset, limit);
    };
  }
}

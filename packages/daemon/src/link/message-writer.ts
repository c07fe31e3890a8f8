/**
 * Puts messages into a link's output: small ones as one frame, large ones as a first frame with the head
 * only and the body in chunks that take turns with those of other messages.
 *
 * What is copied is validated in the copy, so that what was checked is what is sent. Segments are sent
 * from the app's memory; their content is opaque.
 */
import {
  F_BINDING,
  F_INLINE,
  F_KIND,
  F_LENGTH,
  F_LENGTHS,
  F_SEGMENT_BYTES,
  F_STREAM,
  F_TIMEOUT,
  F_VALUE,
  FrameFlag,
  FrameType,
  LONG_HEADER_BYTES,
  padTo8,
  SHORT_HEADER_BYTES,
} from "@koala/protocol";
import type { MessageCodec } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";
import type { Body } from "../datapath/body.ts";
import { Outcome } from "../datapath/call.ts";
import { copyBytes } from "../datapath/copy-bytes.ts";
import { checkMessage } from "../datapath/translator.ts";
import { type HeldBlock, holdUntilSent, type LinkOutput } from "./link-output.ts";
import type { OutgoingState } from "./link-state.ts";

/** Bytes of chunks that may wait in the output: what a new small frame has to wait behind, at most. */
const chunkBytesQueued = 1024 * 1024;
/**
 * Body bytes that a message sends before it is another one's turn. With turns of one chunk, messages that began
 * together also end together, and then there is nothing to send until replies have brought new ones.
 */
const turnBytes = 1024 * 1024;

/** The output does not refer any more to the block that an app named for a stream's message. */
export type OnSent = (held: HeldBlock) => void;

/** A frame's words that are not the message's own. */
export interface FrameHead {
  type: number;
  /** `FrameFlag`s besides those that follow from the rest. */
  flags: number;
  /** Method, or status and origin. */
  value16: number;
  stream: number;
  fromCallee: boolean;
  /** The binding, or how many messages there are (STREAM_MESSAGE). */
  binding: number;
  /** The timeout, or what the messages cost (STREAM_MESSAGE). */
  timeoutMs: number;
}

interface Part {
  readonly memory: Memory;
  readonly offset: number;
  /** Bytes; every part but a segment is a multiple of 8. */
  readonly length: number;
}

/** A large message on its way out. */
interface Outgoing {
  readonly stream: number;
  readonly fromCallee: boolean;
  readonly parts: Part[];
  partIndex: number;
  partOffset: number;
  /** Body bytes, padded. */
  sent: number;
  readonly total: number;
  /** Body bytes that it has sent in its turn. */
  turnBytes: number;
  /** Body bytes that the far side has agreed to. */
  allowed: number;
  /** The app's block that the parts lie in; null when they are memory of the daemon. */
  readonly held: HeldBlock | null;
}

export class MessageWriter {
  /** Bytes of message frames that the far side still takes. */
  credit = 0;
  /** What the far side announced. */
  frameBytes = 0;
  streamWindow = 0;
  invalidReason = "";
  private readonly output: LinkOutput;
  private readonly outgoing: Outgoing[] = [];

  private readonly onSent: OnSent;

  constructor(output: LinkOutput, onSent: OnSent) {
    this.output = output;
    this.onSent = onSent;
  }

  /** Large messages on their way. */
  get largeCount(): number {
    return this.outgoing.length;
  }

  /**
   * Sends a message, or as much of it as can go now. HELD: `onSent` will be called once the memory of
   * the body's owner is not referred to any more.
   */
  write(head: FrameHead, body: Body, codec: MessageCodec): Outcome {
    const tableBytes = padTo8(4 * body.segmentCount);
    const headBytes = LONG_HEADER_BYTES + tableBytes + body.tailBytes();
    const total = headBytes + body.bodyBytes();
    if (total > this.frameBytes || body.bodyBytes() > this.streamWindow) {
      return this.writeLarge(head, body, codec, headBytes);
    }
    if (total > this.credit) return Outcome.PARK;
    const byReference = body.segmentCount > 0 && body.owner !== null;
    const ownBytes = byReference ? total - body.segmentBytes : total;
    const at = this.output.reserve(ownBytes, byReference ? body.segmentCount : 0);
    if (at < 0) return Outcome.PARK;
    const { memory } = this.output;
    const inlineAt = at + headBytes;
    copyBytes(body.memory, body.offset, memory, inlineAt, body.inlineLength);
    if (!body.trusted) {
      this.invalidReason = checkMessage(codec, memory, inlineAt, body);
      if (this.invalidReason !== "") return Outcome.INVALID;
    }
    this.writeHead(at, total, head, body, tableBytes);
    this.credit -= total;
    if (!byReference) {
      if (body.segmentCount > 0) body.copySegments(memory, inlineAt + body.inlineLength);
      this.output.commit(ownBytes);
      return Outcome.DONE;
    }
    this.output.commit(ownBytes);
    for (let i = 0; i < body.segmentCount; i++) {
      this.output.reference(
        body.segmentMemories[i]!,
        body.segmentOffsets[i]!,
        body.segmentLengths[i]!,
      );
    }
    holdUntilSent(this.output, heldBlock(head, body)!, this.onSent);
    return Outcome.HELD;
  }

  /** The far side takes more body bytes of a large message. */
  allow(stream: number, fromCallee: boolean, bytes: number): void {
    const message = this.outgoing.find((m) => m.stream === stream && m.fromCallee === fromCallee);
    if (message !== undefined) message.allowed += bytes;
  }

  /** A large message of the stream is on its way in this direction, so no other may be. */
  isSending(stream: number, fromCallee: boolean): boolean {
    if (this.outgoing.length === 0) return false;
    return this.outgoing.some((m) => m.stream === stream && m.fromCallee === fromCallee);
  }

  /** Stops sending a large message; what is in the output goes out. */
  stop(stream: number, fromCallee: boolean): void {
    const index = this.outgoing.findIndex(
      (m) => m.stream === stream && m.fromCallee === fromCallee,
    );
    if (index >= 0) this.finish(this.outgoing.splice(index, 1)[0]!);
  }

  /** The connection is dead. */
  abandon(): void {
    for (const message of this.outgoing.splice(0)) this.finish(message);
  }

  /** Moves chunks of large messages into the output, in turns. */
  pump(): void {
    let blocked = 0;
    while (blocked < this.outgoing.length && this.output.queuedBytes < chunkBytesQueued) {
      const message = this.outgoing[0]!;
      const before = message.sent;
      const isWritten = this.writeChunk(message);
      message.turnBytes += message.sent - before;
      blocked = isWritten ? 0 : blocked + 1;
      if (message.sent < message.total && isWritten && message.turnBytes < turnBytes) continue;
      this.outgoing.shift();
      message.turnBytes = 0;
      if (message.sent < message.total) this.outgoing.push(message);
      else this.finish(message);
    }
  }

  /** The large messages, with copies of what is still to be sent of them. */
  save(): OutgoingState[] {
    return this.outgoing.map((message) => {
      const { stream, fromCallee, sent, total, allowed } = message;
      return { stream, fromCallee, rest: restOf(message), sent, total, allowed };
    });
  }

  load(states: readonly OutgoingState[]): void {
    for (const { stream, fromCallee, rest, sent, total, allowed } of states) {
      const memory = openMemory(new ArrayBuffer(padTo8(Math.max(8, rest.length))));
      memory.u8.set(rest);
      const parts = [{ memory, offset: 0, length: rest.length }];
      const place = { parts, partIndex: 0, partOffset: 0, turnBytes: 0 };
      this.outgoing.push({ stream, fromCallee, ...place, sent, total, allowed, held: null });
    }
  }

  /** Blocks that are referred to, of messages which are not in completely. */
  heldBlocks(): HeldBlock[] {
    return this.outgoing.flatMap(({ held }) => (held === null ? [] : [held]));
  }

  private finish({ held }: Outgoing): void {
    if (held === null) return;
    holdUntilSent(this.output, held, this.onSent);
    held.owner.unpin();
  }

  private writeHead(
    at: number,
    length: number,
    head: FrameHead,
    body: Body,
    tableBytes: number,
  ): void {
    const { memory } = this.output;
    const words = memory.i32;
    const w = at >> 2;
    const flags =
      head.flags |
      (head.fromCallee ? FrameFlag.FROM_CALLEE : 0) |
      (body.hasTrace ? FrameFlag.TRACE : 0);
    const isReply = head.type === FrameType.RESPONSE;
    words[w + F_LENGTH] = length;
    words[w + F_KIND] = head.type | (flags << 8) | (head.value16 << 16);
    words[w + F_STREAM] = head.stream;
    words[w + F_BINDING] = isReply ? body.messageLength : head.binding;
    words[w + F_INLINE] = body.inlineLength;
    words[w + F_SEGMENT_BYTES] = body.segmentBytes;
    words[w + F_TIMEOUT] = isReply ? body.detailsLength : head.timeoutMs;
    words[w + F_LENGTHS] = body.metadataLength | (body.segmentCount << 16);
    for (let i = 0; i < body.segmentCount; i++) {
      words[w + LONG_HEADER_BYTES / 4 + i] = body.segmentLengths[i]!;
    }
    body.copyTail(memory, at + LONG_HEADER_BYTES + tableBytes);
  }

  private writeLarge(head: FrameHead, body: Body, codec: MessageCodec, headBytes: number): Outcome {
    if (headBytes > this.credit) return Outcome.PARK;
    const at = this.output.reserve(headBytes, 0);
    if (at < 0) return Outcome.PARK;
    const inline = openMemory(new ArrayBuffer(padTo8(Math.max(8, body.inlineLength))));
    copyBytes(body.memory, body.offset, inline, 0, body.inlineLength);
    if (!body.trusted) {
      this.invalidReason = checkMessage(codec, inline, 0, body);
      if (this.invalidReason !== "") return Outcome.INVALID;
    }
    this.writeHead(at, headBytes, head, body, padTo8(4 * body.segmentCount));
    this.output.commit(headBytes);
    this.credit -= headBytes;
    const source = body.owner === null ? body.privateCopy() : body;
    const parts: Part[] = [{ memory: inline, offset: 0, length: body.inlineLength }];
    for (let i = 0; i < body.segmentCount; i++) {
      parts.push({
        memory: source.segmentMemories[i]!,
        offset: source.segmentOffsets[i]!,
        length: source.segmentLengths[i]!,
      });
    }
    const held = heldBlock(head, body);
    held?.owner.pin();
    this.outgoing.push({
      stream: head.stream,
      fromCallee: head.fromCallee,
      parts,
      partIndex: 0,
      partOffset: 0,
      sent: 0,
      turnBytes: 0,
      total: body.bodyBytes(),
      allowed: this.streamWindow,
      held,
    });
    return held === null ? Outcome.DONE : Outcome.HELD;
  }

  /** One frame's worth of a large message; false if it may not send now. */
  private writeChunk(message: Outgoing): boolean {
    const room = Math.min(
      this.frameBytes - SHORT_HEADER_BYTES,
      message.total - message.sent,
      message.allowed - message.sent,
      this.credit - SHORT_HEADER_BYTES,
    );
    const bytes = room & ~7;
    if (bytes <= 0) return false;
    const at = this.output.reserve(SHORT_HEADER_BYTES, message.parts.length - message.partIndex);
    if (at < 0) return false;
    const words = this.output.memory.i32;
    const w = at >> 2;
    const flags = message.fromCallee ? FrameFlag.FROM_CALLEE : 0;
    words[w + F_LENGTH] = SHORT_HEADER_BYTES + bytes;
    words[w + F_KIND] = FrameType.CHUNK | (flags << 8);
    words[w + F_STREAM] = message.stream;
    words[w + F_VALUE] = message.sent;
    this.output.commit(SHORT_HEADER_BYTES);
    this.credit -= SHORT_HEADER_BYTES + bytes;
    this.referenceParts(message, bytes);
    message.sent += bytes;
    return true;
  }

  private referenceParts(message: Outgoing, bytes: number): void {
    let rest = bytes;
    while (rest > 0) {
      const part = message.parts[message.partIndex]!;
      const left = part.length - message.partOffset;
      const take = Math.min(left, rest);
      // A take that ends inside a part is a multiple of 8, because the chunk is and parts are padded.
      if (take > 0) this.output.reference(part.memory, part.offset + message.partOffset, take);
      rest -= padTo8(take);
      message.partOffset += take;
      if (message.partOffset === part.length) {
        message.partIndex++;
        message.partOffset = 0;
      }
    }
  }
}

function heldBlock({ type, stream }: FrameHead, body: Body): HeldBlock | null {
  const { owner, ownerTag, ownerOffset } = body;
  if (owner === null) return null;
  const isRequest = type === FrameType.REQUEST;
  return { stream, isRequest, owner, tag: ownerTag, offset: ownerOffset };
}

/** A copy of the body bytes that are not in the output yet, padded as they will be there. */
function restOf({ parts, partIndex, partOffset, sent, total }: Outgoing): Uint8Array {
  const rest = new Uint8Array(total - sent);
  let at = 0;
  for (const [index, { memory, offset, length }] of parts.entries()) {
    if (index < partIndex) continue;
    const from = index === partIndex ? partOffset : 0;
    rest.set(memory.u8.subarray(offset + from, offset + length), at);
    at += padTo8(length - from);
  }
  return rest;
}

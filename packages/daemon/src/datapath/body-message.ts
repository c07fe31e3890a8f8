/**
 * The request or the reply of a call as its policies read and change it.
 *
 * Copy on access: what lies in memory that an app can write is copied, and checked in the copy, before a
 * policy sees any of it. From then on the body describes the copy, so what was seen is what is sent.
 * The copies are in memory that all calls of a runtime share (`PolicyMemory`): they last until the
 * message has been passed on; whoever keeps it longer makes a private copy (`isCopied`).
 */
import type { TraceContext } from "@koala/policy";
import { type MessageSource, type MetadataEntry, malformedMessage } from "@koala/policy/engine";
import { decodeMetadata, encodeMetadata, padTo8, TRACE_BYTES } from "@koala/protocol";
import type { MessageCodec, SegmentSink } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";
import type { Body } from "./body.ts";
import { copyBytes } from "./copy-bytes.ts";
import { checkMessage } from "./translator.ts";

const noEntries: readonly MetadataEntry[] = [];
const nothing = new Uint8Array(0);
/** A trace context on its way in or out: buffers of their own for each call would cost a microsecond. */
const traceScratch = Buffer.alloc(TRACE_BYTES);

/** Memory for the copies, one of each kind a runtime. Grows to the largest message that a policy has read. */
export class PolicyMemory {
  private inline: Memory = openMemory(new ArrayBuffer(16 * 1024));
  private tail: Memory = openMemory(new ArrayBuffer(4 * 1024));

  /** For an inline part with its segments; the content is as the last user left it. */
  body(bytes: number): Memory {
    if (this.inline.buffer.byteLength < bytes) {
      this.inline = openMemory(new ArrayBuffer(padTo8(bytes * 2)));
    }
    return this.inline;
  }

  /** For trace context, metadata, status message and details. */
  rest(bytes: number): Memory {
    if (this.tail.buffer.byteLength < bytes) {
      this.tail = openMemory(new ArrayBuffer(padTo8(bytes * 2)));
    }
    return this.tail;
  }
}

/** Large bytes of a message that a policy has made, in order. */
class CollectedSegments implements SegmentSink {
  readonly items: Uint8Array[] = [];

  add(bytes: Uint8Array): number {
    return this.items.push(bytes) - 1;
  }
}

export class BodyMessage implements MessageSource {
  /** The body now refers to memory that the next message will use. */
  isCopied = false;
  private readonly memory: PolicyMemory;
  private body: Body | null = null;
  private codec: MessageCodec | null = null;
  private isTailCopied = false;
  private bytesPassed = 0;
  private view: unknown = undefined;
  private list: readonly MetadataEntry[] | undefined;

  constructor(memory: PolicyMemory) {
    this.memory = memory;
  }

  /** The message is at hand, in this layout; null for a reply without one. */
  attach(body: Body, codec: MessageCodec | null): void {
    this.body = body;
    this.codec = codec;
    this.isCopied = false;
    this.isTailCopied = false;
    this.view = undefined;
    this.list = undefined;
  }

  /** As `detach`, but what is asked last of a request, how long it was, can be told until the next one. */
  passOn(): void {
    const bytes = this.bytes;
    this.detach();
    this.bytesPassed = bytes;
  }

  /** The message is passed on, or kept elsewhere. */
  detach(): void {
    this.body = null;
    this.bytesPassed = 0;
    this.codec = null;
    this.view = undefined;
    this.list = undefined;
  }

  /** What is attached. */
  get message(): Body | null {
    return this.body;
  }

  get bytes(): number {
    return this.body?.bodyBytes() ?? this.bytesPassed;
  }

  /** Text of the status, for replies. */
  get text(): string {
    const { body } = this;
    if (body === null || body.messageLength === 0) return "";
    const { u8 } = body.tail;
    return Buffer.from(
      u8.subarray(body.messageOffset, body.messageOffset + body.messageLength),
    ).toString();
  }

  read(): unknown {
    if (this.view !== undefined) return this.view;
    const { body, codec } = this;
    if (body === null || codec === null || body.inlineLength === 0) return undefined;
    this.makePrivate(body);
    if (checkMessage(codec, body.memory, body.offset, body) !== "") {
      body.trusted = false;
      throw malformedMessage;
    }
    this.view = codec.view(body.memory, body.offset, body.inlineLength);
    return this.view;
  }

  replace(message: unknown): void {
    const { body, codec } = this;
    if (body === null || codec === null) return;
    const segments = new CollectedSegments();
    let room = Math.max(16 * 1024, 2 * body.inlineLength);
    let length: number;
    let target: Memory;
    // The old message may lie in the shared memory, and parts of the new one in the old one.
    for (;;) {
      target = openMemory(new ArrayBuffer(room));
      segments.items.length = 0;
      length = codec.write(message, target, 0, room, segments);
      if (length > 0) break;
      room = padTo8(Math.max(2 * room, -length));
    }
    const segmentBytes = segments.items.reduce((sum, item) => sum + padTo8(item.length), 0);
    const whole = openMemory(new ArrayBuffer(length + segmentBytes));
    copyBytes(target, 0, whole, 0, length);
    let at = length;
    segments.items.forEach((item, index) => {
      whole.u8.set(item, at);
      body.segmentMemories[index] = whole;
      body.segmentOffsets[index] = at;
      body.segmentLengths[index] = item.length;
      at += padTo8(item.length);
    });
    body.discard();
    body.owner = null;
    body.memory = whole;
    body.offset = 0;
    body.inlineLength = length;
    body.segmentCount = segments.items.length;
    body.segmentBytes = segmentBytes;
    body.trusted = true;
    this.view = undefined;
    this.isCopied = true;
  }

  entries(): readonly MetadataEntry[] {
    if (this.list !== undefined) return this.list;
    const { body } = this;
    if (body === null || body.metadataLength === 0) return noEntries;
    this.makeTailPrivate(body);
    const { u8 } = body.tail;
    const bytes = u8.subarray(body.metadataOffset, body.metadataOffset + body.metadataLength);
    this.list = decodeMetadata(bytes);
    if (this.list === undefined) throw malformedMessage;
    return this.list;
  }

  setEntries(entries: readonly MetadataEntry[]): void {
    const { body } = this;
    if (body === null) {
      // Trailers of a reply that does not come, because the policy is about to deny the request.
      this.list = entries;
      return;
    }
    this.rebuildTail(body, body.hasTrace ? this.traceBytes(body) : null, encodeMetadata(entries));
    this.list = entries;
  }

  get trace(): TraceContext | undefined {
    const { body } = this;
    if (body === null || !body.hasTrace) return undefined;
    this.makeTailPrivate(body);
    const { u8 } = body.tail;
    for (let i = 0; i <= 24; i++) traceScratch[i] = u8[body.traceOffset + i]!;
    return {
      traceId: traceScratch.toString("hex", 0, 16),
      spanId: traceScratch.toString("hex", 16, 24),
      sampled: (traceScratch[24]! & 1) !== 0,
    };
  }

  set trace(trace: TraceContext | undefined) {
    const { body } = this;
    if (body === null) return;
    if (trace !== undefined) {
      traceScratch.fill(0);
      traceScratch.write(trace.traceId, 0, 16, "hex");
      traceScratch.write(trace.spanId, 16, 8, "hex");
      traceScratch[24] = trace.sampled ? 1 : 0;
      if (body.hasTrace) {
        this.makeTailPrivate(body);
        body.tail.u8.set(traceScratch, body.traceOffset);
        this.isCopied = true;
        return;
      }
    }
    const { metadataOffset: at, metadataLength } = body;
    const metadata = metadataLength === 0 ? nothing : body.tail.u8.slice(at, at + metadataLength);
    this.rebuildTail(body, trace === undefined ? null : traceScratch, metadata);
  }

  /** The trace context in private memory. */
  private traceBytes(body: Body): Uint8Array {
    this.makeTailPrivate(body);
    return body.tail.u8.slice(body.traceOffset, body.traceOffset + TRACE_BYTES);
  }

  private makePrivate(body: Body): void {
    if (body.trusted && isContiguous(body)) return;
    this.copyBody(body);
    // What comes behind the message is the app's as well, and counts as trusted now.
    this.makeTailPrivate(body);
  }

  private copyBody(body: Body): void {
    const bytes = body.bodyBytes();
    const memory = this.memory.body(bytes);
    copyBytes(body.memory, body.offset, memory, 0, body.inlineLength);
    body.copySegments(memory, body.inlineLength);
    body.discard();
    body.memory = memory;
    body.offset = 0;
    let at = body.inlineLength;
    for (let i = 0; i < body.segmentCount; i++) {
      body.segmentMemories[i] = memory;
      body.segmentOffsets[i] = at;
      at += padTo8(body.segmentLengths[i]!);
    }
    // Nothing of the app's memory is referred to any more, so nobody has to wait for its release.
    body.owner = null;
    body.trusted = true;
    this.view = undefined;
    this.isCopied = true;
  }

  private makeTailPrivate(body: Body): void {
    if (this.isTailCopied) return;
    this.isTailCopied = true;
    const bytes = body.tailBytes();
    if (bytes === 0) return;
    const memory = this.memory.rest(bytes);
    body.copyTail(memory, 0);
    body.placeTail(memory, 0);
    this.isCopied = true;
  }

  private rebuildTail(body: Body, trace: Uint8Array | null, metadata: Uint8Array): void {
    const { messageOffset, messageLength, detailsOffset, detailsLength, tail } = body;
    const message =
      messageLength === 0 ? nothing : tail.u8.slice(messageOffset, messageOffset + messageLength);
    const details =
      detailsLength === 0 ? nothing : tail.u8.slice(detailsOffset, detailsOffset + detailsLength);
    const bytesBefore = body.tailBytes();
    body.hasTrace = trace !== null;
    body.metadataLength = metadata.length;
    const bytes = body.tailBytes();
    // A block that a message was received into has room for what came with it, and no more.
    if (body.placedIn !== null && bytes > bytesBefore) this.copyBody(body);
    const memory = this.memory.rest(bytes);
    body.placeTail(memory, 0);
    if (trace !== null) memory.u8.set(trace, body.traceOffset);
    if (metadata.length > 0) memory.u8.set(metadata, body.metadataOffset);
    if (messageLength > 0) memory.u8.set(message, body.messageOffset);
    if (detailsLength > 0) memory.u8.set(details, body.detailsOffset);
    this.list = undefined;
    this.isTailCopied = true;
    this.isCopied = true;
  }
}

/** Whether the segments follow the inline part, as readers expect it. */
export function isContiguous(body: Body): boolean {
  return (
    body.segmentCount === 0 ||
    (body.segmentMemories[0] === body.memory &&
      body.segmentOffsets[0] === body.offset + body.inlineLength)
  );
}

/** A message as the daemon has it: written to its layout, checked, and read from there. */
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { KoalaError } from "@koala/interface";
import { type MessageSource, type MetadataEntry, malformedMessage } from "@koala/policy/engine";
import { type MessageCodec, type SegmentSink, ValidateCode } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";

const segmentsMax = 8;
const bytesFirst = 256;
const none: Memory = openMemory(new ArrayBuffer(0));

class Segments implements SegmentSink {
  readonly list: Uint8Array[] = [];

  add(bytes: Uint8Array): number {
    return this.list.length < segmentsMax ? this.list.push(bytes) - 1 : -1;
  }
}

/** Metadata as tests write it. */
export type MetadataInit = Readonly<Record<string, string | Uint8Array>>;

export class MessageBox implements MessageSource {
  /** The message was passed on: policies can't see it any more, as in the daemon. Tests still can. */
  isGone = false;
  /** Tests set it to see what a policy does with a message that is none. */
  isMalformed = false;
  /** 0 when there is no message, as in a reply that is an error. */
  bytes = 0;
  private readonly codec: MessageCodec;
  private readonly desc: DescMessage;
  private memory: Memory = none;
  private inlineLength = 0;
  private view: unknown = undefined;
  private metadata: readonly MetadataEntry[] = [];

  constructor(codec: MessageCodec, desc: DescMessage) {
    this.codec = codec;
    this.desc = desc;
  }

  /** A lazy view, as in the daemon: valid while the handler runs that has asked for it. */
  read(): unknown {
    if (this.isGone || this.bytes === 0) return undefined;
    if (this.isMalformed) throw malformedMessage;
    this.view ??= this.codec.view(this.memory, 0, this.inlineLength);
    return this.view;
  }

  /** A plain message, for tests. */
  copy(): Record<string, unknown> | undefined {
    if (this.bytes === 0) return undefined;
    return this.codec.read(this.memory, 0, this.inlineLength) as Record<string, unknown>;
  }

  /** The message with these fields. */
  put(fields: object): void {
    this.replace(create(this.desc, fields as MessageInitShape<DescMessage>));
  }

  replace(message: unknown): void {
    let limit = bytesFirst;
    for (;;) {
      const segments = new Segments();
      const block = openMemory(new ArrayBuffer(limit));
      const length = this.codec.write(message, block, 0, limit, segments);
      if (length >= 0) {
        this.take(block, length, segments.list);
        return;
      }
      limit = (-length + 7) & ~7;
    }
  }

  /** No message. */
  clear(): void {
    this.memory = none;
    this.inlineLength = 0;
    this.bytes = 0;
    this.view = undefined;
  }

  entries(): readonly MetadataEntry[] {
    return this.isGone ? [] : this.metadata;
  }

  setEntries(entries: readonly MetadataEntry[]): void {
    if (!this.isGone) this.metadata = entries;
  }

  /** Metadata as it went on, for tests. */
  finalMetadata(): MetadataInit {
    return Object.fromEntries(this.metadata);
  }

  setMetadata(metadata: MetadataInit): void {
    this.metadata = Object.entries(metadata);
  }

  /** Puts the segments behind the inline part, as a receiver sees them. */
  private take(block: Memory, inlineLength: number, segments: readonly Uint8Array[]): void {
    const lengths = Int32Array.from(segments, (segment) => segment.length);
    const bytes = segments.reduce((sum, { length }) => sum + padded(length), inlineLength);
    const memory = openMemory(new ArrayBuffer(bytes));
    memory.u8.set(block.u8.subarray(0, inlineLength));
    let at = inlineLength;
    for (const segment of segments) {
      memory.u8.set(segment, at);
      at += padded(segment.length);
    }
    const code = this.codec.validate(memory, 0, inlineLength, lengths, lengths.length);
    if (code !== ValidateCode.OK) {
      throw new KoalaError("ERR_BUG", `a written ${this.codec.typeName} is not valid: ${code}`);
    }
    this.memory = memory;
    this.inlineLength = inlineLength;
    this.bytes = bytes;
    this.view = undefined;
  }
}

function padded(length: number): number {
  return (length + 7) & ~7;
}

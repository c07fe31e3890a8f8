/**
 * Lays the messages of one stream out in the send heap and writes their MESSAGE slots.
 *
 * Small messages share a block: each is written behind a header where the last one ended, and the block goes
 * out when it is full, when the credit is used up, or when the app has nothing more to do at once. Messages
 * with large fields, and large ones, get a block of their own.
 *
 * ```
 *  put ─▶ │ 8 │ message │ 8 │ message │ 8 │ message │ …        ─▶ MESSAGE, count 3
 *         └ length      └ written by the codec, in place
 * ```
 */
import { Status } from "@koala/interface";
import {
  BATCH_RECORD_BYTES,
  batchBytesMax,
  batchMessagesMax,
  SlotFlag,
  SlotKind,
  streamCreditInitial,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_COST,
  W_COUNT,
  W_INLINE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
} from "@koala/protocol";
import type { MessageCodec, SegmentSink } from "@koala/schema";
import type { Memory } from "@koala/shm";
import type { Completer } from "../calls/message-init.ts";
import { formatBytes, tooLargeError } from "../errors/limit-errors.ts";
import { RpcError, valueError } from "../errors/rpc-error.ts";
import { Written } from "../memory/message-writer.ts";
import type { SizeGuess } from "../memory/size-guess.ts";
import type { Datapath } from "../mesh/datapath.ts";

/** Blocks for small messages: a stream with little in each turn takes little of the heap. */
const blockBytesMin = 512;
/** From here on a message does not gain from sharing a block. */
const aloneBytesMin = 4096;

/** How messages of a method are written, in one of its directions. */
export interface MessageForm {
  readonly codec: MessageCodec;
  readonly complete: Completer;
  readonly guess: SizeGuess;
  /** `geo.v1.Geo/Nearest: request`, for messages. */
  readonly name: string;
  /** What a value that does not fit its field means for the call. */
  readonly valueStatus: Status;
}

/** Notes that a message has large bytes, which are then written once more, to blocks of their own. */
class LargeBytes implements SegmentSink {
  isSeen = false;

  add(): number {
    this.isSeen = true;
    return -1;
  }
}

const largeBytes = new LargeBytes();

export class StreamWriter {
  /** Bytes that may be sent; below 0 by one block at most. */
  credit: number = streamCreditInitial;
  private readonly datapath: Datapath;
  private readonly form: MessageForm;
  private readonly callId: number;
  private readonly flags: number;
  /** The block that is being filled; null when there is none. */
  private memory: Memory | null = null;
  private tag = 0;
  private offset = 0;
  private cursor = 0;
  private limit = 0;
  private count = 0;
  private blockBytes = blockBytesMin;
  private isAlone = false;
  private isDue = false;

  /** `flags`: FROM_CALLEE for responses. */
  constructor(datapath: Datapath, form: MessageForm, callId: number, flags: number) {
    this.datapath = datapath;
    this.form = form;
    this.callId = callId;
    this.flags = flags;
  }

  /**
   * Takes a message. False when the send heap is full now; throws an `RpcError` when the message can't be sent
   * at all.
   */
  put(init: unknown): boolean {
    const { form } = this;
    let message: unknown;
    try {
      message = form.complete(init);
    } catch (cause) {
      throw valueError(form.valueStatus, form.name, cause);
    }
    return this.isAlone ? this.putAlone(message) : this.putBehind(message);
  }

  /** Sends what is there; with `end`, says that there is no more to come. */
  flush(end: boolean): void {
    const { memory } = this;
    if (memory === null || this.count === 0) {
      if (memory !== null) this.drop();
      if (end) this.writeSlot(SlotFlag.END | SlotFlag.NO_BLOCK, 0, 0, 0, 0);
      return;
    }
    const start = this.offset;
    let bytes = this.cursor - start;
    if (this.count === 1) {
      // Alone in the block it has no header.
      bytes -= BATCH_RECORD_BYTES;
      this.credit += BATCH_RECORD_BYTES;
      memory.i32.copyWithin(start >> 2, (start + BATCH_RECORD_BYTES) >> 2, this.cursor >> 2);
    }
    if (bytes * 4 < this.blockBytes)
      this.blockBytes = Math.max(this.blockBytes >> 1, blockBytesMin);
    this.memory = null;
    this.writeSlot(end ? SlotFlag.END : 0, this.count, bytes, 0, 0);
  }

  /** Forgets what has not been sent. */
  drop(): void {
    if (this.memory === null) return;
    this.memory = null;
    if (!this.datapath.ended) this.datapath.send.free(this.tag, this.offset);
  }

  private putBehind(message: unknown): boolean {
    for (;;) {
      if (this.memory === null && !this.openBlock()) return false;
      const at = this.cursor + BATCH_RECORD_BYTES;
      const length = this.write(message, at);
      if (largeBytes.isSeen) break;
      if (length > 0) {
        this.addRecord(at, length);
        return true;
      }
      const wanted = BATCH_RECORD_BYTES - length;
      if (this.count > 0) this.flush(false);
      else this.drop();
      if (wanted > aloneBytesMin) break;
      this.blockBytes = Math.min(Math.max(this.blockBytes * 4, wanted), batchBytesMax);
    }
    this.isAlone = true;
    return this.putAlone(message);
  }

  /** What the codec says; throws for a value that does not fit its field. */
  private write(message: unknown, at: number): number {
    largeBytes.isSeen = false;
    // No room for any message: what it would want is not known.
    if (at >= this.limit) return -BATCH_RECORD_BYTES;
    const { form, memory, limit } = this;
    try {
      return form.codec.write(message, memory!, at, limit, largeBytes);
    } catch (cause) {
      throw valueError(form.valueStatus, form.name, cause);
    }
  }

  private addRecord(at: number, length: number): void {
    const { i32 } = this.memory!;
    i32[this.cursor >> 2] = length;
    i32[(this.cursor >> 2) + 1] = 0;
    this.cursor = at + length;
    this.credit -= BATCH_RECORD_BYTES + length;
    this.count++;
    if (this.credit <= 0 || this.count === batchMessagesMax) this.flush(false);
    else this.flushSoon();
  }

  /** When all that is ready has run: a source that gives messages at once fills blocks. */
  private flushSoon(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.datapath.flushLater(this);
  }

  /** The time has come that `flushLater` was asked for. */
  flushDue(): void {
    this.isDue = false;
    if (!this.datapath.ended) this.flush(false);
  }

  private openBlock(): boolean {
    const { datapath, blockBytes } = this;
    const { heap } = datapath.send;
    if (!heap.allocate(blockBytes)) return this.waitForRoom(blockBytes);
    this.memory = heap.memory;
    this.tag = heap.tag;
    this.offset = heap.offset;
    this.cursor = heap.offset;
    this.limit = heap.offset + blockBytes;
    this.count = 0;
    return true;
  }

  private putAlone(message: unknown): boolean {
    const { datapath, form } = this;
    const { writer } = datapath;
    if (this.memory !== null) this.flush(false);
    let written: Written;
    try {
      written = writer.write(form.codec, message, form.guess, null);
    } catch (cause) {
      throw valueError(form.valueStatus, form.name, cause);
    }
    if (written === Written.HEAP_FULL) return this.waitForRoom(writer.wanted);
    if (written === Written.TOO_LARGE) {
      throw tooLargeError(form.name, writer.wanted, datapath.limits.messageBytesMax);
    }
    const { inlineLength, segmentCount, segmentBytes } = writer;
    if (segmentCount !== 0) {
      datapath.send.holdSegments(writer.tag, writer.offset, writer.segments);
    }
    this.tag = writer.tag;
    this.offset = writer.offset;
    this.credit -= inlineLength + segmentBytes;
    this.isAlone = inlineLength + segmentBytes > aloneBytesMin;
    this.writeSlot(0, 1, inlineLength, segmentCount, segmentBytes);
    return true;
  }

  private waitForRoom(bytes: number): boolean {
    const { datapath, form } = this;
    if (datapath.regions.want(bytes)) return false;
    throw new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `${form.name}: no room for a block of ${formatBytes(bytes)} in the send heap (limits.send_heap = ${formatBytes(datapath.limits.sendHeapBytesMax)} of the daemon: ${datapath.regions.refusal}); raise it in koala.toml [limits] send_heap`,
    );
  }

  private writeSlot(
    flags: number,
    count: number,
    inlineLength: number,
    segmentCount: number,
    segmentBytes: number,
  ): void {
    const { datapath } = this;
    const { out } = datapath;
    const at = out.reserve();
    const { words } = out;
    const all = flags | this.flags | out.attachRelease(words, at);
    const hasBlock = (flags & SlotFlag.NO_BLOCK) === 0;
    words[at] = SlotKind.MESSAGE | (all << 8);
    words[at + W_CALL] = this.callId;
    words[at + 2] = 0;
    words[at + W_COST] = inlineLength + segmentBytes;
    words[at + W_BLOCK_TAG] = hasBlock ? this.tag : 0;
    words[at + W_BLOCK_OFFSET] = hasBlock ? this.offset : 0;
    words[at + W_INLINE_LENGTH] = inlineLength;
    words[at + W_SEGMENT_COUNT] = segmentCount;
    words[at + W_SEGMENT_BYTES] = segmentBytes;
    words[at + W_METADATA_LENGTH] = 0;
    words[at + W_COUNT] = count;
    this.count = 0;
    if (hasBlock) datapath.awaitingRelease++;
    datapath.schedule();
  }
}

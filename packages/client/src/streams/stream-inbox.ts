/**
 * The messages of one stream that have come in: their blocks until somebody asks for them, then one after the
 * other, read out of the block. What has been read is granted to the sender again, a quarter of the window at
 * a time, so that what lies here unread is bounded by the window.
 *
 * ```
 *  MESSAGE ─▶ blocks ─▶ next(): the block that is read ─▶ message      block empty ─▶ RELEASE, CREDIT
 *                 nobody has asked: it stays     somebody waits: read at once
 * ```
 */
import { messageOf, Status } from "@koala/interface";
import {
  BATCH_RECORD_BYTES,
  SlotKind,
  streamCreditInitial,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_COST,
  W_COUNT,
  W_INLINE_LENGTH,
  W_SEGMENT_BYTES,
} from "@koala/protocol";
import type { MessageCodec } from "@koala/schema";
import type { Memory } from "@koala/shm";
import { RpcError } from "../errors/rpc-error.ts";
import type { Datapath } from "../mesh/datapath.ts";

type Result = IteratorResult<unknown, undefined>;
type Resolve = (result: Result | Promise<Result>) => void;

/** Numbers that are kept of a block: tag, offset, inline length, segment bytes, count, cost. */
const blockNumbers = 6;

// One executor for all promises; it leaves the function of the newest one here.
let newestResolve: Resolve | null = null;
function keepFunction(resolve: Resolve): void {
  newestResolve = resolve;
}

export class StreamInbox {
  /** A message could not be read; whoever waits for it gets the error, too. */
  onBroken: ((error: RpcError) => void) | null = null;
  private readonly codec: MessageCodec;
  private readonly view: boolean;
  private datapath: Datapath | null = null;
  private callId = 0;
  /** FROM_CALLEE when this is the callee's inbox. */
  private flags = 0;
  /** What has been taken and not been granted yet. */
  private owed = 0;
  private quarter = 0;

  private blocks: number[] = [];
  private blocksHead = 0;
  /** The block that is being read; null when there is none. */
  private memory: Memory | null = null;
  private tag = 0;
  private offset = 0;
  private bytes = 0;
  private cost = 0;
  private cursor = 0;
  private end = 0;
  private isBatch = false;
  /** Messages of it that nobody has taken. */
  private left = 0;
  /** Messages of a connection that is gone. */
  private rescued: unknown[] | null = null;
  private rescuedHead = 0;

  private waiter: Resolve | null = null;
  private moreWaiters: Resolve[] | null = null;
  /** No messages come any more. */
  private isEnded = false;
  /** Messages that still come are of no use to anybody. */
  private isClosed = false;
  private error: unknown = null;
  private onLast: (() => void) | null = null;

  constructor(codec: MessageCodec, view: boolean) {
    this.codec = codec;
    this.view = view;
  }

  /** The call has begun: the sender gets the whole window. */
  open(datapath: Datapath, callId: number, flags: number): void {
    this.datapath = datapath;
    this.callId = callId;
    this.flags = flags;
    const window = datapath.limits.streamBufferBytes;
    this.owed = window - streamCreditInitial;
    this.quarter = Math.max(1, window >> 2);
    if (this.owed > 0) this.grant();
  }

  /** The next message, once there is one. */
  next(): Promise<Result> {
    if (this.left !== 0 || this.openBlock()) return this.readNext();
    if (this.rescued !== null) {
      const value = this.rescued[this.rescuedHead++];
      if (this.rescuedHead === this.rescued.length) this.rescued = null;
      return Promise.resolve({ value, done: false });
    }
    if (this.isEnded) return this.last();
    const promise = new Promise<Result>(keepFunction);
    if (this.waiter === null) this.waiter = newestResolve;
    else {
      this.moreWaiters ??= [];
      this.moreWaiters.push(newestResolve!);
    }
    newestResolve = null;
    return promise;
  }

  /** A MESSAGE with a block has come. */
  take(words: Int32Array, at: number): void {
    const tag = words[at + W_BLOCK_TAG]!;
    const offset = words[at + W_BLOCK_OFFSET]!;
    const inlineLength = words[at + W_INLINE_LENGTH]!;
    const segmentBytes = words[at + W_SEGMENT_BYTES]!;
    if (this.isClosed || this.isEnded || words[at + W_COUNT]! <= 0) {
      this.datapath!.out.release(tag, offset, inlineLength + segmentBytes);
      return;
    }
    const { blocks } = this;
    blocks.push(tag, offset, inlineLength, segmentBytes, words[at + W_COUNT]!, words[at + W_COST]!);
    while (this.waiter !== null && (this.left !== 0 || this.openBlock())) {
      this.takeWaiter()!(this.readNext());
    }
  }

  /**
   * No messages come any more. Those that are here are given out first, then the error if there is one;
   * `onLast` is called right before the end is.
   */
  finish(error: unknown, onLast: (() => void) | null): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.error = error;
    this.onLast = onLast;
    if (this.hasMessages()) this.datapath!.unread.add(this);
    for (let waiter = this.takeWaiter(); waiter !== null; waiter = this.takeWaiter()) {
      waiter(this.last());
    }
  }

  /** Nobody wants what is here or still comes. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.rescued = null;
    this.left = 0;
    this.closeBlock();
    while (this.takeBlock()) {
      this.left = 0;
      this.closeBlock();
    }
    this.datapath?.unread.delete(this);
  }

  /** True when there are messages that nobody has taken. */
  private hasMessages(): boolean {
    return this.left !== 0 || this.blocksHead !== this.blocks.length;
  }

  /** The connection is about to go, with its memory: reads out what has come. */
  rescue(): void {
    const rescued: unknown[] = [];
    try {
      while (this.left !== 0) rescued.push(this.readMessage(false));
      // Somebody may be looking at the block that was open: its mapping is left to the collector.
      this.memory = null;
      while (this.takeBlock()) {
        while (this.left !== 0) rescued.push(this.readMessage(false));
        this.closeBlock();
      }
    } catch (cause) {
      this.isEnded = true;
      this.error = unreadable(cause);
    }
    if (rescued.length > 0) this.rescued = rescued;
  }

  private readNext(): Promise<Result> {
    let value: unknown;
    try {
      value = this.readMessage(this.view);
    } catch (cause) {
      // The daemon has validated the messages, so this is a bug of ours; the stream ends all the same.
      const error = unreadable(cause);
      this.close();
      this.isEnded = true;
      this.onBroken?.(error);
      return Promise.reject(error);
    }
    // A view is valid until the next message is asked for.
    if (this.left === 0 && !this.view) this.closeBlock();
    return Promise.resolve({ value, done: false });
  }

  private readMessage(asView: boolean): unknown {
    const memory = this.memory!;
    let start = this.cursor;
    let { end } = this;
    if (this.isBatch) {
      const length = memory.i32[start >> 2]!;
      start += BATCH_RECORD_BYTES;
      if (length < 0 || start + length > end) throw new Error("a record ends behind its block");
      end = start + length;
    }
    this.cursor = end;
    this.left--;
    return asView
      ? this.codec.view(memory, start, end - start)
      : this.codec.read(memory, start, end - start);
  }

  /** The next block becomes the one that is read; false when there is none. */
  private openBlock(): boolean {
    if (this.memory !== null) this.closeBlock();
    return this.takeBlock();
  }

  private takeBlock(): boolean {
    const { blocks } = this;
    const at = this.blocksHead;
    if (at === blocks.length) return false;
    this.tag = blocks[at]!;
    this.offset = blocks[at + 1]!;
    const inlineLength = blocks[at + 2]!;
    this.bytes = inlineLength + blocks[at + 3]!;
    this.left = blocks[at + 4]!;
    this.cost = blocks[at + 5]!;
    this.cursor = this.offset;
    this.end = this.offset + inlineLength;
    this.isBatch = this.left > 1;
    this.blocksHead += blockNumbers;
    if (this.blocksHead === blocks.length) {
      blocks.length = 0;
      this.blocksHead = 0;
    }
    this.memory = this.datapath!.receive.memoryOf(this.tag) ?? null;
    if (this.view) this.datapath!.viewCount++;
    return true;
  }

  /** Gives the block back, and what it cost to the sender. */
  private closeBlock(): void {
    if (this.memory === null) return;
    const datapath = this.datapath!;
    this.memory = null;
    if (this.view) datapath.viewCount--;
    if (this.isEnded && !this.hasMessages()) datapath.unread.delete(this);
    if (datapath.ended) return;
    datapath.giveBack(this.tag, this.offset, this.bytes);
    this.owed += this.cost;
    if (this.owed >= this.quarter && !this.isEnded && !this.isClosed) this.grant();
  }

  private grant(): void {
    const datapath = this.datapath!;
    const { out } = datapath;
    const at = out.reserve();
    const { words } = out;
    words[at] = SlotKind.CREDIT | ((this.flags | out.attachRelease(words, at)) << 8);
    words[at + W_CALL] = this.callId;
    words[at + W_COST] = this.owed;
    this.owed = 0;
    datapath.schedule();
  }

  /** The end, once with its error. */
  private last(): Promise<Result> {
    const { error, onLast } = this;
    this.error = null;
    this.onLast = null;
    onLast?.();
    if (error !== null) return Promise.reject(error);
    return Promise.resolve({ value: undefined, done: true });
  }

  private takeWaiter(): Resolve | null {
    const { waiter } = this;
    this.waiter = this.moreWaiters?.shift() ?? null;
    return waiter;
  }
}

function unreadable(cause: unknown): RpcError {
  return new RpcError(Status.INTERNAL, `a message can't be read: ${messageOf(cause)}`, { cause });
}

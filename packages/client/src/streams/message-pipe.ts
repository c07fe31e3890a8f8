/**
 * A stream of messages within the process: takes them from their source a few ahead of the reader, as a
 * connection does.
 */
import { iteratorOf } from "../interceptors/message-iterables.ts";

type Result = IteratorResult<unknown, undefined>;
type Source = AsyncIterator<unknown> | Iterator<unknown>;

/** Messages that wait for the reader. */
const queueMax = 16;

interface Waiter {
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** What a pipe does with what comes by. */
export interface PipeHooks {
  /** Makes of a message what the reader gets; throws when it can't be sent. */
  copy(message: unknown): unknown;
  /** The source has ended, or thrown. What the reader gets as the end: an error, or null. */
  onSourceEnd(error: unknown): unknown;
  /** The reader has taken the last message, or leaves early. */
  onReaderEnd(isEarly: boolean): void;
}

export class MessagePipe implements AsyncIterableIterator<unknown, undefined, undefined> {
  private readonly hooks: PipeHooks;
  private readonly queue: unknown[] = [];
  private readonly waiters: Waiter[] = [];
  private source: Source | null = null;
  /** The source gives no more. */
  private isEnded = false;
  /** The reader takes no more. */
  private isClosed = false;
  private error: unknown = null;
  private onRoom: (() => void) | null = null;

  constructor(hooks: PipeHooks) {
    this.hooks = hooks;
  }

  /** Takes the messages of `source`, once it is there. */
  async pump(source: Promise<AsyncIterable<unknown> | Iterable<unknown>>): Promise<void> {
    try {
      const iterator = iteratorOf(await source);
      if (this.isClosed) {
        await iterator.return?.();
        return;
      }
      this.source = iterator;
      for (;;) {
        const result = await iterator.next();
        if (this.isClosed) return;
        if (result.done === true) break;
        this.give(this.hooks.copy(result.value));
        if (this.queue.length >= queueMax) await this.room();
      }
      this.end(this.hooks.onSourceEnd(null));
    } catch (error) {
      if (this.isClosed) return;
      this.stopSource();
      this.end(this.hooks.onSourceEnd(error));
    }
  }

  /** Ends it for its reader at once; messages that wait are dropped. */
  fail(error: unknown): void {
    if (this.isClosed) return;
    this.queue.length = 0;
    this.stopSource();
    this.end(error);
    this.isClosed = true;
  }

  next(): Promise<Result> {
    if (this.queue.length > 0) {
      const value = this.queue.shift();
      this.onRoom?.();
      return Promise.resolve({ value, done: false });
    }
    if (this.isEnded || this.isClosed) return this.last();
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  return(): Promise<Result> {
    if (!this.isClosed && !this.isEnded) this.hooks.onReaderEnd(true);
    this.fail(null);
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<Result> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private give(message: unknown): void {
    const waiter = this.waiters.shift();
    if (waiter === undefined) this.queue.push(message);
    else waiter.resolve({ value: message, done: false });
  }

  private end(error: unknown): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.error = error;
    for (const waiter of this.waiters.splice(0)) this.last().then(waiter.resolve, waiter.reject);
  }

  /** The end, once with its error. */
  private last(): Promise<Result> {
    const { error } = this;
    this.error = null;
    if (!this.isClosed) this.hooks.onReaderEnd(false);
    this.isClosed = true;
    if (error !== null) return Promise.reject(error);
    return Promise.resolve({ value: undefined, done: true });
  }

  private room(): Promise<void> {
    return new Promise((resolve) => {
      this.onRoom = resolve;
    });
  }

  private stopSource(): void {
    const { source } = this;
    this.source = null;
    this.onRoom?.();
    if (typeof source?.return !== "function") return;
    // What it throws while it is told to end is of no use to anybody.
    Promise.resolve(source.return()).catch(() => {});
  }
}

/**
 * Messages on their way from a writer with callbacks, which is what grpc-js has, to a reader that asks for one
 * after the other, which is what the mesh has. A callback comes when its message has been taken, so a reader that
 * stops stops the writer; but a few small messages may wait without that, so that they travel together.
 */

/** Bytes that may wait of messages that are called back for at once. */
const aheadBytesMax = 16 * 1024;
/** What a message counts besides its own length, so that there are not too many empty ones either. */
const messageBytes = 64;

type Result = IteratorResult<Uint8Array, undefined>;

interface Waiting {
  readonly message: Uint8Array;
  readonly onTaken: (() => void) | undefined;
}

const over: Result = { value: undefined, done: true };

/** For one reader. */
export class MessageQueue implements AsyncIterableIterator<Uint8Array, undefined, undefined> {
  private readonly waiting: Waiting[] = [];
  private resolve: ((result: Result) => void) | null = null;
  private reject: ((error: unknown) => void) | null = null;
  private aheadBytes = 0;
  private isEnded = false;
  private error: Error | null = null;

  /** Adds a message. `onTaken` is called also when nobody will take it any more. */
  push(message: Uint8Array, onTaken?: () => void): void {
    if (this.isEnded) {
      if (onTaken !== undefined) process.nextTick(onTaken);
      return;
    }
    const { resolve } = this;
    if (resolve === null) {
      const isAhead = this.aheadBytes + costOf(message) <= aheadBytesMax;
      this.waiting.push({ message, onTaken: isAhead ? undefined : onTaken });
      this.aheadBytes += costOf(message);
      if (isAhead) onTaken?.();
      return;
    }
    this.forgetReader();
    resolve({ value: message, done: false });
    onTaken?.();
  }

  /** There are no further messages. */
  end(): void {
    this.isEnded = true;
    const { resolve } = this;
    this.forgetReader();
    resolve?.(over);
  }

  /** After the messages that are there, the reader gets the error. */
  fail(error: Error): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { reject } = this;
    this.forgetReader();
    if (reject === null) this.error = error;
    else reject(error);
  }

  /** Nobody wants the messages any more. */
  stop(): void {
    this.end();
    this.error = null;
    for (const { onTaken } of this.waiting.splice(0)) {
      if (onTaken !== undefined) process.nextTick(onTaken);
    }
  }

  next(): Promise<Result> {
    const next = this.waiting.shift();
    if (next !== undefined) {
      this.aheadBytes -= costOf(next.message);
      // Not from here: what the writer does then is none of the reader's business.
      if (next.onTaken !== undefined) process.nextTick(next.onTaken);
      return Promise.resolve({ value: next.message, done: false });
    }
    const { error } = this;
    if (error !== null) {
      this.error = null;
      return Promise.reject(error);
    }
    if (this.isEnded) return Promise.resolve(over);
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  return(): Promise<Result> {
    this.stop();
    return Promise.resolve(over);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private forgetReader(): void {
    this.resolve = null;
    this.reject = null;
  }
}

function costOf(message: Uint8Array): number {
  return message.length + messageBytes;
}

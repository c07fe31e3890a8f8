/** The responses of a stream, whose first one has been asked for. */
import type { ConnectError } from "@connectrpc/connect";

export class ResponseMessages<T> implements AsyncIterableIterator<T, undefined, undefined> {
  /** Rejects with what the mesh says. */
  readonly first: Promise<IteratorResult<T, undefined>>;
  private readonly iterator: AsyncIterator<T, undefined>;
  private readonly toFailure: (error: unknown) => ConnectError;
  private isFirstTaken = false;

  constructor(messages: AsyncIterable<T>, toFailure: (error: unknown) => ConnectError) {
    this.iterator = messages[Symbol.asyncIterator]();
    this.toFailure = toFailure;
    this.first = this.iterator.next();
    // It is looked at when the reader asks for it.
    this.first.catch(() => {});
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const isFirst = !this.isFirstTaken;
    this.isFirstTaken = true;
    try {
      return await (isFirst ? this.first : this.iterator.next());
    } catch (error) {
      throw this.toFailure(error);
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    await this.iterator.return?.();
    return { value: undefined, done: true };
  }

  /** For whoever passes the responses on to a transport over HTTP, which asks for it. */
  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** What callers iterate over. Nothing in the library refers to it, so that a forgotten one can be noticed. */
import type { ClientStream } from "./client-stream.ts";
import type { StreamInbox } from "./stream-inbox.ts";

type Result = IteratorResult<unknown, undefined>;

const forgotten = new FinalizationRegistry<ClientStream>((stream) => stream.cancel(null));

/**
 * The responses of a streaming call, once. To leave the loop early cancels the call; so does, as a safety net, the
 * collector when nobody can iterate any more.
 */
export class ResponseStream implements AsyncIterableIterator<unknown, undefined, undefined> {
  private readonly stream: ClientStream;
  private readonly inbox: StreamInbox;

  constructor(stream: ClientStream, inbox: StreamInbox) {
    this.stream = stream;
    this.inbox = inbox;
    forgotten.register(this, stream);
  }

  next(): Promise<Result> {
    return this.inbox.next();
  }

  return(): Promise<Result> {
    this.stream.cancel(null);
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<Result> {
    this.stream.cancel(null);
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.cancel(null);
  }
}

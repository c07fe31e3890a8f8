/** Streams of handlers: what they read fails with errors of connect-es, what they give with those of Koala. */
import { Code, ConnectError } from "@connectrpc/connect";
import { connectErrorFrom, rpcErrorFrom } from "./connect-errors.ts";
import type { RouterContext } from "./router-context.ts";

type Result = IteratorResult<unknown, undefined>;
type Messages = AsyncIterable<unknown>;

/** The requests of a call. */
export function requestsOf(requests: Messages): Messages {
  return { [Symbol.asyncIterator]: () => new Requests(requests[Symbol.asyncIterator]()) };
}

class Requests implements AsyncIterableIterator<unknown, undefined, undefined> {
  private readonly iterator: AsyncIterator<unknown, undefined>;

  constructor(iterator: AsyncIterator<unknown, undefined>) {
    this.iterator = iterator;
  }

  async next(): Promise<Result> {
    try {
      return await this.iterator.next();
    } catch (error) {
      throw connectErrorFrom(error);
    }
  }

  async return(): Promise<Result> {
    await this.iterator.return?.();
    return { value: undefined, done: true };
  }

  /** For a handler that passes its requests on to a transport over HTTP, which asks for it. */
  async throw(error: unknown): Promise<Result> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** The responses of a handler; its context ends with them. */
export class HandlerResults implements AsyncIterableIterator<unknown, undefined, undefined> {
  private readonly iterator: AsyncIterator<unknown>;
  private readonly context: RouterContext;

  constructor(messages: Messages, context: RouterContext) {
    this.iterator = messages[Symbol.asyncIterator]();
    this.context = context;
  }

  async next(): Promise<Result> {
    try {
      const result = await this.iterator.next();
      if (result.done !== true) return result;
      this.context.end();
      return { value: undefined, done: true };
    } catch (error) {
      this.context.end(error);
      throw rpcErrorFrom(error);
    }
  }

  async return(): Promise<Result> {
    this.context.end();
    await this.iterator.return?.();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** A stream of one message. */
export async function* one<T>(message: T): AsyncGenerator<T, void> {
  yield message;
}

/** The one message of a stream. */
export async function only(messages: Messages): Promise<unknown> {
  let found: unknown;
  let count = 0;
  for await (const message of messages) {
    found = message;
    count++;
  }
  if (count === 1) return found;
  const text = `expected one response, found ${count === 0 ? "none" : "more"}`;
  throw new ConnectError(text, Code.Internal);
}

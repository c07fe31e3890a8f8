/** Iterables of messages from and to what is not one, for interceptors. */
import { Status } from "@koala/interface";
import { RpcError } from "./rpc-error.ts";

/** One message. */
export async function* iterableOf<T>(message: T): AsyncGenerator<T, void> {
  yield message;
}

/** The only message; rejects with an `RpcError` when there are none or more. `what` is for its text. */
export async function onlyOne<T>(
  messages: AsyncIterable<T> | Iterable<T>,
  what: string,
): Promise<T> {
  let found: T | undefined;
  let count = 0;
  for await (const message of messages) {
    found = message;
    if (++count > 1) break;
  }
  if (count === 1) return found as T;
  throw new RpcError(
    Status.INTERNAL,
    `${what}: expected one message, found ${count === 0 ? "none" : "more"}`,
  );
}

/** An iterable that is not there yet. It is waited for at once, so that its failure is known to the reader only. */
export function iterableSoon<T>(soon: Promise<AsyncIterable<T>>): AsyncIterable<T> {
  const iterator = soon.then((messages) => messages[Symbol.asyncIterator]());
  iterator.catch(() => {});
  let isOver = false;
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (isOver) return { value: undefined, done: true };
        return await (await iterator).next();
      },
      async return() {
        isOver = true;
        await (await iterator).return?.();
        return { value: undefined, done: true };
      },
    }),
  };
}

/** The iterator of what is iterable in either way; its results are to be waited for. */
export function iteratorOf<T>(
  messages: AsyncIterable<T> | Iterable<T>,
): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in messages
    ? messages[Symbol.asyncIterator]()
    : messages[Symbol.iterator]();
}

/** Iterables of messages from and to what is not one, for interceptors. */
import { Status } from "@koala/interface";
import { RpcError } from "../errors/rpc-error.ts";

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

/**
 * An iterable that is not there yet. It is waited for at once, so that its failure is known to the reader only. A
 * reader that leaves before it is there does not wait for it: `onLeave` is called instead, if given.
 */
export function iterableSoon<T>(
  soon: Promise<AsyncIterable<T>>,
  onLeave?: () => void,
): AsyncIterable<T> {
  let isThere = false;
  let isOver = false;
  const iterator = soon.then((messages) => {
    isThere = true;
    return messages[Symbol.asyncIterator]();
  });
  iterator.catch(() => {});
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (isOver) return { value: undefined, done: true };
        return await (await iterator).next();
      },
      async return() {
        isOver = true;
        const end = iterator.then((source) => source.return?.());
        if (isThere || onLeave === undefined) await end;
        else {
          end.catch(() => {});
          onLeave();
        }
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

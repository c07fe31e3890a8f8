/**
 * How many handlers of a server run at once. Further calls wait in their order, with their requests read; their
 * deadline runs, and who gives up leaves the line.
 */
import { KoalaError } from "@koala/interface";
import type { MethodKind } from "@koala/schema";
import { addAbortListener, removeAbortListener } from "../calls/abort-listeners.ts";
import { returnsStream } from "../calls/method-kinds.ts";
import { iteratorOf } from "../interceptors/message-iterables.ts";
import type { Messages } from "../streams/stream-outlet.ts";
import type { HandlerContext } from "./handler-context.ts";
import type { Handler } from "./service-export.ts";
import { isThenable } from "./thenable.ts";

type Run = () => void;

export class HandlerGate {
  readonly max: number;
  private running = 0;
  private readonly line = new Set<Run>();

  /** Throws a `KoalaError` for what is no number of handlers. */
  constructor(max: number) {
    if (!Number.isSafeInteger(max) || max < 1) {
      throw new KoalaError(
        "ERR_SERVE_CONCURRENCY",
        `serve: concurrency: expected a whole number of at least 1, found ${String(max)}`,
      );
    }
    this.max = max;
  }

  /** `handler`, as it is behind this gate. */
  guard(kind: MethodKind, handler: Handler): Handler {
    const enter = returnsStream(kind) ? enterStream : enterSingle;
    return (request, context) => {
      if (this.running >= this.max) {
        return this.turn(context).then(() => enter(this, handler, request, context));
      }
      this.running++;
      return enter(this, handler, request, context);
    };
  }

  /** A handler has ended: the next one takes its place. */
  end(): void {
    const [next] = this.line;
    if (next === undefined) {
      this.running--;
      return;
    }
    this.line.delete(next);
    next();
  }

  /** Resolves when it is the call's turn; rejects with the reason when the call ends before. */
  private turn({ signal }: HandlerContext): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.line.delete(run);
        removeAbortListener(signal, onAbort);
        reject(signal.reason);
      };
      const run = (): void => {
        removeAbortListener(signal, onAbort);
        resolve();
      };
      this.line.add(run);
      addAbortListener(signal, onAbort);
    });
  }
}

function enterSingle(
  gate: HandlerGate,
  handler: Handler,
  request: unknown,
  context: HandlerContext,
): unknown {
  let result: unknown;
  try {
    result = handler(request, context);
  } catch (error) {
    gate.end();
    throw error;
  }
  if (isThenable(result)) {
    const end = (): void => gate.end();
    result.then(end, end);
  } else gate.end();
  return result;
}

function enterStream(
  gate: HandlerGate,
  handler: Handler,
  request: unknown,
  context: HandlerContext,
): unknown {
  try {
    return guarded(gate, handler(request, context) as Messages, context.signal);
  } catch (error) {
    gate.end();
    throw error;
  }
}

/** Messages whose end, however it comes, is the end of their handler. */
function guarded(gate: HandlerGate, messages: Messages, signal: AbortSignal): Messages {
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    removeAbortListener(signal, end);
    gate.end();
  };
  // A call that ends before anybody asks for its messages never does.
  addAbortListener(signal, end);
  return {
    [Symbol.asyncIterator]: () => {
      removeAbortListener(signal, end);
      const iterator = iteratorOf(messages);
      return {
        async next() {
          try {
            const result = await iterator.next();
            if (result.done === true) end();
            return result;
          } catch (error) {
            end();
            throw error;
          }
        },
        async return() {
          try {
            await iterator.return?.();
          } finally {
            end();
          }
          return { value: undefined, done: true };
        },
      };
    },
  };
}

/**
 * Pulls the messages that the app gives for a stream: the next one is asked for only while there is credit for
 * it and the last one had room in the send heap. So a reader that stops stops the source.
 */
import { Status } from "@koala/interface";
import { RpcError } from "../errors/rpc-error.ts";
import type { Datapath } from "../mesh/datapath.ts";
import { type MessageForm, StreamWriter } from "./stream-writer.ts";

/** What users give: a stream of messages, or the messages themselves. */
export type Messages = AsyncIterable<unknown> | Iterable<unknown>;

/** Who has the stream sent, and hears of its end, once. */
export interface OutletOwner {
  /** Before the first message: false when something has to go before it and finds no room now. */
  onFirst(): boolean;
  /** The app has given its last message. */
  onSent(): void;
  /** No more messages: the app's iterable threw `error`, or (`isUsers` false) a message can't be sent. */
  onSendFailure(error: unknown, isUsers: boolean): void;
}

type Source = AsyncIterator<unknown> | Iterator<unknown>;
type Result = IteratorResult<unknown, unknown>;

export class StreamOutlet {
  private readonly datapath: Datapath;
  private readonly writer: StreamWriter;
  private readonly owner: OutletOwner;
  private source: Source | null = null;
  private isSync = false;
  private isStopped = false;
  /** The source has been asked and has not answered. */
  private isAsking = false;
  /** The message that found no room. */
  private held: unknown = undefined;
  private isHeld = false;
  private isFirst = true;
  // Made once a stream: `then` with two functions costs less than `await`, which makes two each time.
  private readonly onNext: (result: Result) => void;
  private readonly onThrow: (error: unknown) => void;

  constructor(
    datapath: Datapath,
    form: MessageForm,
    callId: number,
    flags: number,
    owner: OutletOwner,
  ) {
    this.datapath = datapath;
    this.writer = new StreamWriter(datapath, form, callId, flags);
    this.owner = owner;
    this.onNext = (result) => {
      this.isAsking = false;
      if (this.accept(result)) this.advance();
    };
    this.onThrow = (error) => {
      this.isAsking = false;
      this.failBySource(error);
    };
  }

  /** Begins to send. What is no iterable counts as one that throws. */
  start(messages: Messages): void {
    try {
      this.isSync = !(Symbol.asyncIterator in Object(messages));
      this.source = iteratorOf(messages);
    } catch (error) {
      this.failBySource(error);
      return;
    }
    this.advance();
  }

  /** The receiver has taken so many bytes. */
  grant(bytes: number): void {
    this.writer.credit += bytes;
    this.advance();
  }

  /** Sends what was given so far, before the call ends with an error of the app. */
  flush(): void {
    if (!this.datapath.ended) this.writer.flush(false);
  }

  /** Says that no more messages come. */
  end(): void {
    if (!this.datapath.ended) this.writer.flush(true);
  }

  /**
   * The call is over: nothing is sent any more, and the app's iterable is told. Null when there is nothing to wait
   * for, else resolves, never rejects, when it has ended.
   */
  stop(): Promise<void> | null {
    if (this.isStopped) return null;
    this.isStopped = true;
    this.writer.drop();
    this.held = undefined;
    const { source } = this;
    this.source = null;
    if (source === null || typeof source.return !== "function") return null;
    return endOf(source);
  }

  /** After room has become free: false when it was not enough. */
  tryAgain(): boolean {
    if (this.isStopped) return true;
    try {
      if (!this.tryPut(this.held)) return false;
    } catch (error) {
      this.fail(error);
      return true;
    }
    this.held = undefined;
    this.isHeld = false;
    this.advance();
    return true;
  }

  /** Asks for messages, one after the other, as long as they can be sent. */
  private advance(): void {
    const { writer } = this;
    while (writer.credit > 0 && !this.isHeld && !this.isAsking && !this.isStopped) {
      this.isAsking = true;
      let next: Result | Promise<Result>;
      try {
        next = this.source!.next();
      } catch (error) {
        this.onThrow(error);
        return;
      }
      if (!this.isSync) {
        const promise = next instanceof Promise ? next : Promise.resolve(next);
        promise.then(this.onNext, this.onThrow);
        return;
      }
      this.isAsking = false;
      if (!this.accept(next as Result)) return;
    }
  }

  /** What the source has answered; false when there is no more to ask for. */
  private accept(result: Result): boolean {
    if (this.isStopped) return false;
    if (typeof result !== "object" || result === null) {
      this.failBySource(new TypeError(`next() gave ${String(result)} instead of a result`));
      return false;
    }
    if (result.done !== true) return this.put(result.value);
    this.source = null;
    this.isStopped = true;
    this.owner.onSent();
    return false;
  }

  /** False when the message can't be sent, and therefore none any more. */
  private put(message: unknown): boolean {
    try {
      if (!this.tryPut(message)) {
        this.held = message;
        this.isHeld = true;
        this.datapath.deferred.push(this);
      }
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  private tryPut(message: unknown): boolean {
    if (this.isFirst) {
      if (!this.owner.onFirst()) return false;
      this.isFirst = false;
    }
    return this.writer.put(message);
  }

  private fail(error: unknown): void {
    this.writer.flush(false);
    void this.stop();
    this.owner.onSendFailure(error, false);
  }

  private failBySource(error: unknown): void {
    if (this.isStopped) return;
    this.source = null;
    this.isStopped = true;
    this.owner.onSendFailure(error, true);
  }
}

/** Whether it can be iterated over, and is not a text. */
export function isIterable(value: unknown): value is Messages {
  return typeof value === "object" && value !== null && startOf(value) !== undefined;
}

function startOf(value: object): (() => Source) | undefined {
  const given = value as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  return given[Symbol.asyncIterator] ?? given[Symbol.iterator];
}

function iteratorOf(messages: Messages): Source {
  if (isIterable(messages)) return startOf(messages)!.call(messages);
  throw new RpcError(
    Status.INTERNAL,
    "the handler returns a stream: expected an iterable of messages, sync or async",
  );
}

async function endOf(source: Source): Promise<void> {
  try {
    await source.return?.();
  } catch {
    // The call is over: nobody is left who could be told.
  }
}

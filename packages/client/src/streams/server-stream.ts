/** The streams of a call that this app serves: its requests, its responses, or both. */
import { Status } from "@koala/interface";
import { SlotFlag } from "@koala/protocol";
import { takesStream } from "../calls/method-kinds.ts";
import type { RpcError } from "../errors/rpc-error.ts";
import type { Datapath } from "../mesh/datapath.ts";
import type { IncomingCall } from "../serving/incoming-call.ts";
import type { ServerMethod } from "../serving/service-export.ts";
import { StreamInbox } from "./stream-inbox.ts";
import { type Messages, type OutletOwner, StreamOutlet } from "./stream-outlet.ts";
import type { MessageForm } from "./stream-writer.ts";

type Result = IteratorResult<unknown, undefined>;

export class ServerStream implements OutletOwner {
  /** Null when the method takes a single message. */
  readonly inbox: StreamInbox | null;
  /** Null when the method returns a single message, and before its handler has returned. */
  outlet: StreamOutlet | null = null;
  private readonly datapath: Datapath;
  private readonly call: IncomingCall;
  private readonly callId: number;

  constructor(datapath: Datapath, call: IncomingCall, callId: number, method: ServerMethod) {
    this.datapath = datapath;
    this.call = call;
    this.callId = callId;
    const hasRequests = takesStream(method.schema.kind);
    this.inbox = hasRequests ? new StreamInbox(method.input, method.view) : null;
    this.inbox?.open(datapath, callId, SlotFlag.FROM_CALLEE);
  }

  /** What the handler has returned goes to the caller. */
  respond(messages: Messages): void {
    const form = formOf(this.call.target);
    this.outlet = new StreamOutlet(this.datapath, form, this.callId, SlotFlag.FROM_CALLEE, this);
    this.outlet.start(messages);
  }

  /**
   * The caller does not wait any more. Resolves when the handler's iterable has ended; null when there is none to
   * wait for.
   */
  cancel(error: RpcError): Promise<void> | null {
    this.inbox?.close();
    this.inbox?.finish(error, null);
    return this.outlet?.stop() ?? null;
  }

  /** The call is over. */
  end(): void {
    this.inbox?.close();
    this.inbox?.finish(null, null);
    void this.outlet?.stop();
  }

  onFirst(): boolean {
    return this.call.closeHeader();
  }

  onSent(): void {
    this.outlet?.flush();
    this.call.finish(undefined);
  }

  onSendFailure(error: unknown): void {
    this.call.fail(error);
  }
}

/** What handlers iterate over. To leave the loop early drops what still comes. */
export class RequestStream implements AsyncIterableIterator<unknown, undefined, undefined> {
  private readonly inbox: StreamInbox;

  constructor(inbox: StreamInbox) {
    this.inbox = inbox;
  }

  next(): Promise<Result> {
    return this.inbox.next();
  }

  return(): Promise<Result> {
    this.inbox.close();
    this.inbox.finish(null, null);
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<Result> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function formOf(method: ServerMethod): MessageForm {
  return {
    codec: method.output,
    complete: method.complete,
    guess: method.guess,
    name: `${method.service}/${method.schema.name}: reply`,
    valueStatus: Status.INTERNAL,
  };
}

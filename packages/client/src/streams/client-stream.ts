/**
 * A streaming call of this app, from its start to its reply: what comes in, what goes out, and who hears of the
 * end.
 */
import { messageOf, Status } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";
import type { EntriesListener } from "../calls/call-options.ts";
import type { ClientMethod } from "../calls/client-method.ts";
import type { PendingCall } from "../calls/pending-calls.ts";
import { giveEntries } from "../calls/reply.ts";
import { sendCancel, settleEarly } from "../calls/submit.ts";
import type { WaitingCall } from "../calls/waiting-calls.ts";
import { RpcError } from "../errors/rpc-error.ts";
import type { Datapath } from "../mesh/datapath.ts";
import { StreamInbox } from "./stream-inbox.ts";
import { type Messages, type OutletOwner, StreamOutlet } from "./stream-outlet.ts";
import type { MessageForm } from "./stream-writer.ts";

export class ClientStream implements OutletOwner {
  readonly method: ClientMethod;
  /** Null when the method returns a single message. */
  readonly inbox: StreamInbox | null;
  /** Null when the method takes a single message, and before the call has begun. */
  outlet: StreamOutlet | null = null;
  /** Settle the call, as the functions of a promise do. */
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  /** While the call waits for its turn. */
  waiting: WaitingCall | null = null;
  private readonly requests: Messages | null;
  private datapath: Datapath | null = null;
  private call: PendingCall | null = null;
  private onLast: (() => void) | null = null;

  private constructor(
    method: ClientMethod,
    requests: Messages | null,
    inbox: StreamInbox | null,
    resolve: ((value: unknown) => void) | null,
    reject: ((reason: unknown) => void) | null,
  ) {
    this.method = method;
    this.requests = requests;
    this.inbox = inbox;
    this.resolve = resolve ?? (() => inbox?.finish(null, this.onLast));
    this.reject = reject ?? ((error) => inbox?.finish(error, this.onLast));
    if (inbox !== null) inbox.onBroken = (error) => this.cancel(error);
  }

  /** Of a method that returns a stream. `requests`: null when it takes a single message. */
  static withResponses(
    method: ClientMethod,
    requests: Messages | null,
    view: boolean,
  ): ClientStream {
    return new ClientStream(method, requests, new StreamInbox(method.output, view), null, null);
  }

  /** Of a method that takes a stream and returns a single message. */
  static withReply(
    method: ClientMethod,
    requests: Messages,
    resolve: (value: unknown) => void,
    reject: (reason: unknown) => void,
  ): ClientStream {
    return new ClientStream(method, requests, null, resolve, reject);
  }

  /** The call's slot has been written, and whoever settles it is known. */
  open(datapath: Datapath, call: PendingCall): void {
    this.waiting = null;
    this.datapath = datapath;
    this.call = call;
    call.stream = this;
    this.inbox?.open(datapath, call.id, 0);
    if (this.requests === null) return;
    this.outlet = new StreamOutlet(datapath, formOf(this.method), call.id, 0, this);
    this.outlet.start(this.requests);
  }

  /** The caller has enough, or can't go on because of `error`. */
  cancel(error: RpcError | null): void {
    const { call, waiting } = this;
    if (waiting !== null) {
      this.waiting = null;
      waiting.method.binding.mesh.leave(waiting);
    } else if (call !== null && call.stream === this && call.reject !== null) {
      sendCancel(this.datapath!, call.id, error?.status ?? Status.CANCELLED);
      settleEarly(call);
    }
    this.abandon();
    if (error === null) this.inbox?.finish(null, null);
    else this.reject(error);
  }

  /** The outcome is decided before the daemon has answered: nothing that comes or goes is of use any more. */
  abandon(): void {
    void this.outlet?.stop();
    this.inbox?.close();
  }

  /** The daemon has answered, or never will: nothing is sent any more. */
  end(): void {
    this.call = null;
    void this.outlet?.stop();
  }

  /** Trailers are given to the caller when it has taken the last message. */
  keepTrailers(onTrailer: EntriesListener, entries: MetadataEntry[]): void {
    this.onLast = () => giveEntries(onTrailer, entries);
  }

  onFirst(): boolean {
    return true;
  }

  onSent(): void {
    this.outlet?.end();
  }

  onSendFailure(error: unknown, isUsers: boolean): void {
    if (!isUsers) {
      this.cancel(error as RpcError);
      return;
    }
    const reason = `the requests of the call ended with an error: ${messageOf(error)}`;
    this.cancel(new RpcError(Status.CANCELLED, reason, { cause: error }));
  }
}

function formOf(method: ClientMethod): MessageForm {
  return {
    codec: method.input,
    complete: method.complete,
    guess: method.guess,
    name: `${method.name}: request`,
    valueStatus: Status.INVALID_ARGUMENT,
  };
}

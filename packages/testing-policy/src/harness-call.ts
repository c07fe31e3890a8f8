/** One call of a harness, as a test sees it. */
import type { Origin, Status } from "@koala/interface";
import type { PolicyTimer, TraceContext } from "@koala/policy";
import { LiveCall } from "@koala/policy/engine";
import type { FakeAttempt } from "./fake-attempt.ts";
import type { FakeSource } from "./fake-source.ts";
import type { HarnessMessage } from "./harness-stream.ts";
import type { MetadataInit } from "./message-box.ts";

/** How far a call has come. */
export type CallOutcome =
  /** A policy holds it. */
  | "held"
  /** The request has passed the policy; there is no answer yet. */
  | "sent"
  /** It has ended with what its server answered. */
  | "passed"
  /** A policy has ended it. */
  | "denied"
  /** The caller has given up. */
  | "cancelled"
  /** Its deadline has passed. */
  | "expired"
  /** The policy has read a message that is malformed. */
  | "malformed";

/** What a server answers. */
export interface Reply {
  /** Fields of the reply; an empty message when not given. */
  readonly reply?: object;
  /** OK when not given. */
  readonly status?: Status;
  readonly statusMessage?: string;
  readonly trailers?: MetadataInit;
  /** Who decided; the server's app when not given. */
  readonly origin?: Origin;
  /** Time until the answer is there, by the fake clock; 0 when not given. */
  readonly afterMs?: number;
}

/** Answers a request: the part of the server. */
export type Responder = (call: HarnessCall) => Reply;

/** What a call asks of its harness. */
export interface CallDriver {
  answer(call: HarnessCall, reply: Reply): void;
  giveUp(call: HarnessCall): void;
}

/**
 * A call that `PolicyHarness.call` or `start` has made. It changes with what happens: a call that is
 * "held" now may be "passed" after `harness.advance`.
 */
export class HarnessCall {
  outcome: CallOutcome = "sent";
  /** Name of the policy that has denied it; "" when none has. */
  deniedBy = "";
  /** The rule that the denial names; "" when it names none. */
  rule = "";
  /** Of the call, in all logs. */
  readonly requestId: string;
  /** Attempts that the policy has made for it. */
  readonly attempts: FakeAttempt[] = [];
  /** For the harness: what the engine sees. */
  readonly source: FakeSource;
  readonly live: LiveCall;
  /** What answers; undefined when the test does, by `answer`. */
  readonly responder: Responder | undefined;
  deadline: PolicyTimer | undefined = undefined;
  /** Messages of a stream that came while the call was held. */
  readonly waiting: HarnessMessage[] = [];
  private readonly driver: CallDriver;

  constructor(driver: CallDriver, source: FakeSource, responder: Responder | undefined) {
    this.driver = driver;
    this.source = source;
    this.responder = responder;
    this.requestId = source.requestId;
    this.live = new LiveCall(source);
  }

  /** Whether nothing will happen to it any more. */
  get hasEnded(): boolean {
    return this.outcome !== "held" && this.outcome !== "sent";
  }

  /** The request as it goes, or went, on; empty for a method that takes a stream. */
  get request(): Record<string, unknown> {
    return this.source.request.copy() ?? {};
  }

  /** Headers as they go on. */
  get metadata(): MetadataInit {
    return this.source.request.finalMetadata();
  }

  /** The reply that the caller gets; undefined when it gets none. */
  get response(): Record<string, unknown> | undefined {
    return this.source.response.copy();
  }

  get trailers(): MetadataInit {
    return this.source.response.finalMetadata();
  }

  /** What the caller gets. OK while the call has not ended. */
  get status(): Status {
    return this.source.status;
  }
  get origin(): Origin {
    return this.source.origin;
  }
  /** The status message. */
  get message(): string {
    return this.source.statusMessage;
  }
  get priority(): number {
    return this.source.priority;
  }
  get trace(): TraceContext | undefined {
    return this.source.finalTrace;
  }
  /** Label of the server that it was sent to; undefined before. */
  get endpoint(): string | undefined {
    return this.source.endpoint?.label;
  }

  /** The server answers. For calls of `start` that are "sent". */
  answer(reply: Reply = {}): this {
    this.driver.answer(this, reply);
    return this;
  }

  /** The caller gives up. */
  cancel(): this {
    this.driver.giveUp(this);
    return this;
  }
}

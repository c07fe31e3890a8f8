/** A call over objects, where the daemon has one over shared memory. */
import type { DescMessage } from "@bufbuild/protobuf";
import { Origin, Status } from "@koala/interface";
import type { Caller, TraceContext } from "@koala/policy";
import type { CallSource } from "@koala/policy/engine";
import type { MethodSchema } from "@koala/schema";
import type { FakeEndpoint } from "./fake-endpoint.ts";
import { MessageBox } from "./message-box.ts";

/** What stays the same while a call goes on. */
export interface CallFacts {
  readonly requestId: string;
  readonly target: string;
  readonly service: string;
  readonly method: MethodSchema;
  readonly caller: Caller;
}

/** Whether a method's requests are messages of a stream. */
export function takesStream({ kind }: MethodSchema): boolean {
  return kind === "client_streaming" || kind === "bidi_streaming";
}

/** Whether a method's replies are messages of a stream. */
export function returnsStream({ kind }: MethodSchema): boolean {
  return kind === "server_streaming" || kind === "bidi_streaming";
}

export class FakeSource implements CallSource {
  readonly requestId: string;
  readonly target: string;
  readonly service: string;
  readonly method: MethodSchema;
  readonly caller: Caller;
  readonly request: MessageBox;
  readonly response: MessageBox;
  endpoint: FakeEndpoint | undefined = undefined;
  status: Status = Status.OK;
  origin: Origin = Origin.REMOTE_APP;
  statusMessage = "";
  /** As it goes on with the request, for tests. */
  finalTrace: TraceContext | undefined = undefined;
  priority = 0;
  /** Messages of a stream that have passed, of the client and of the server. */
  sent = 0;
  received = 0;
  /** By the clock; 0 = none. */
  deadlineMs = 0;
  readonly wake: () => void;
  private readonly nowMs: () => number;

  constructor(facts: CallFacts, nowMs: () => number, wake: () => void) {
    this.requestId = facts.requestId;
    this.target = facts.target;
    this.service = facts.service;
    this.method = facts.method;
    this.caller = facts.caller;
    this.nowMs = nowMs;
    this.wake = wake;
    const { desc, input, output } = facts.method;
    this.request = new MessageBox(input, desc.input as DescMessage);
    this.response = new MessageBox(output, desc.output as DescMessage);
  }

  get trace(): TraceContext | undefined {
    return this.request.isGone ? undefined : this.finalTrace;
  }
  set trace(trace: TraceContext | undefined) {
    if (!this.request.isGone) this.finalTrace = trace;
  }

  get timeLeftMs(): number {
    return this.deadlineMs === 0 ? 0 : Math.max(1, this.deadlineMs - this.nowMs());
  }
}

/** A call while policies look at it; one object a call, reused with it. */
import type { Origin, Status } from "@koala/interface";
import type { MethodSchema } from "@koala/schema";
import type {
  Caller,
  Endpoint,
  PolicyCall,
  PolicyMetadata,
  Side,
  StreamMessage,
  TraceContext,
} from "../call.ts";
import { Verdict } from "../verdict.ts";
import type { CallSource, MessageSource, StreamMessageSource } from "./call-source.ts";
import type { Chain, Step } from "./chain.ts";
import type { Slot } from "./slot.ts";

/** How a policy has ended a call. */
export interface Denial {
  status: Status;
  message: string;
  policy: string;
  /** "" when the policy named none. */
  rule: string;
}

export class LiveCall implements PolicyCall {
  readonly source: CallSource;
  /** The policies of this call; null when none is (still) concerned with it. */
  chain: Chain | null = null;
  /** Steps that the request has passed: `chain.steps[stage]` is next. */
  stage = 0;
  /** The first step that is concerned: an attempt of a policy begins behind that policy. */
  floor = 0;
  /** The slot that holds the call, with the step at `stage`. */
  holder: Slot | null = null;
  /** The step whose handler runs, or which holds the call. */
  step: Step | null = null;
  /** A handler is running. */
  inside = false;
  readonly denial: Denial = { status: 0, message: "", policy: "", rule: "" };
  isDenied = false;
  /** Steps that have seen the request: those see how the call ends, whatever changes meanwhile. */
  readonly ran: boolean[] = [];
  /** What policies have left here, by step. */
  readonly locals: unknown[] = [];
  /** The message of a stream that is at hand, and what its handlers get. */
  message: StreamMessageSource | null = null;
  readonly streamed: StreamMessage = new Streamed(this);
  private readonly headers: Metadata;
  private readonly tail: Metadata;

  constructor(source: CallSource) {
    this.source = source;
    this.headers = new Metadata(source.request);
    this.tail = new Metadata(source.response);
  }

  /** A new call begins, with the step at `stage`. */
  begin(chain: Chain, stage: number = 0): void {
    this.chain = chain;
    this.stage = stage;
    this.floor = stage;
    this.isDenied = false;
    this.source.priority = 0;
  }

  /** No policy is concerned with the call any more. */
  end(): void {
    this.chain = null;
    this.step = null;
    this.holder = null;
    this.locals.length = 0;
    this.message = null;
  }

  get requestId(): string {
    return this.source.requestId;
  }
  get side(): Side {
    return this.step!.side;
  }
  get target(): string {
    return this.source.target;
  }
  get service(): string {
    return this.source.service;
  }
  get method(): MethodSchema {
    return this.source.method;
  }
  get caller(): Caller {
    return this.source.caller;
  }
  get timeLeftMs(): number {
    return this.source.timeLeftMs;
  }
  get request(): unknown {
    return this.source.request.read();
  }
  get requestBytes(): number {
    return this.source.request.bytes;
  }
  get metadata(): PolicyMetadata {
    return this.headers;
  }
  get trailers(): PolicyMetadata {
    return this.tail;
  }
  get trace(): TraceContext | undefined {
    return this.source.trace;
  }
  set trace(trace: TraceContext | undefined) {
    this.source.trace = trace;
  }
  get priority(): number {
    return this.source.priority;
  }
  set priority(priority: number) {
    this.source.priority = priority;
  }
  get prepared(): unknown {
    return this.step!.prepared;
  }
  get local(): unknown {
    return this.locals[this.step!.index];
  }
  set local(value: unknown) {
    this.locals[this.step!.index] = value;
  }
  get endpoint(): Endpoint | undefined {
    return this.source.endpoint;
  }
  get status(): Status {
    return this.source.status;
  }
  get origin(): Origin {
    return this.source.origin;
  }
  get statusMessage(): string {
    return this.source.statusMessage;
  }
  get response(): unknown {
    return this.source.status === 0 ? this.source.response.read() : undefined;
  }
  get responseBytes(): number {
    return this.source.response.bytes;
  }

  setRequest(message: unknown): void {
    this.source.request.replace(message);
  }

  setResponse(message: unknown): void {
    this.source.response.replace(message);
  }

  deny(status: Status, message: string, rule: string = ""): Verdict {
    const { denial, holder } = this;
    if (!this.inside && holder === null) return Verdict.DENY; // it has ended meanwhile
    denial.status = status;
    denial.message = message;
    denial.policy = this.step!.slot.name;
    denial.rule = rule;
    this.isDenied = true;
    if (!this.inside) {
      holder!.release(this);
      this.source.wake();
    }
    return Verdict.DENY;
  }

  hold(): Verdict {
    return Verdict.HOLD;
  }

  resume(): void {
    const { holder } = this;
    if (holder === null) return; // it has ended meanwhile
    holder.release(this);
    this.stage++;
    this.source.wake();
  }
}

class Streamed implements StreamMessage {
  private readonly call: LiveCall;

  constructor(call: LiveCall) {
    this.call = call;
  }

  get from(): "client" | "server" {
    return this.call.message!.from;
  }
  get index(): number {
    return this.call.message!.index;
  }
  get bytes(): number {
    return this.call.message!.bytes;
  }
  get value(): unknown {
    return this.call.message!.read();
  }

  replace(message: unknown): void {
    this.call.message!.replace(message);
  }
}

class Metadata implements PolicyMetadata {
  private readonly message: MessageSource;

  constructor(message: MessageSource) {
    this.message = message;
  }

  get(key: string): string | Uint8Array | undefined {
    for (const entry of this.message.entries()) if (entry[0] === key) return entry[1];
    return undefined;
  }

  set(key: string, value: string | Uint8Array): void {
    const others = this.message.entries().filter((entry) => entry[0] !== key);
    this.message.setEntries([...others, [key, value]]);
  }

  delete(key: string): void {
    const entries = this.message.entries();
    const others = entries.filter((entry) => entry[0] !== key);
    if (others.length < entries.length) this.message.setEntries(others);
  }

  entries(): readonly (readonly [string, string | Uint8Array])[] {
    return this.message.entries();
  }
}

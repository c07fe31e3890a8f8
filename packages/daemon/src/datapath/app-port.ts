/**
 * An app as the rest of its runtime knows it: a party of calls, the caller of bindings, the owner of blocks.
 * It stays the same while the engine behind it is replaced, so that a replacement touches nothing that
 * refers to the app.
 */
import type { Origin, Status } from "@koala/interface";
import type { Caller } from "@koala/policy";
import type { ServiceSchema } from "@koala/schema";
import type { Flow } from "../streams/flow.ts";
import type { AppEngine } from "./app-engine.ts";
import { type Binding, createBinding, type Export } from "./binding.ts";
import type { Body } from "./body.ts";
import type { BlockOwner, Call, Outcome, Party, Receiver } from "./call.ts";

export class AppPort implements Party, BlockOwner {
  readonly id: number;
  /** For people: name and pid. */
  readonly label: string;
  /** Who it is, for policies and for the daemons that its calls go on to. */
  readonly identity: Caller;
  readonly isLocal = true;
  readonly isApp = true;
  readonly bindings: (Binding | undefined)[] = [];
  readonly exports: (Export | undefined)[] = [];
  /** Set before anything is asked of the port. */
  engine!: AppEngine;
  /** Bytes of messages that it has sent, and that it was handed. */
  bytesOut = 0;
  bytesIn = 0;
  /** It is on its way to another runtime: nothing is placed in its memory from outside its engine. */
  isMoving = false;
  private pins = 0;
  private readonly unpinned: (() => void)[] = [];

  constructor(id: number, label: string, identity: Caller) {
    this.id = id;
    this.label = label;
    this.identity = identity;
  }

  /** A new binding under the next id. */
  bind(target: string, schema: ServiceSchema): Binding {
    const binding = createBinding(
      this.bindings.length,
      this,
      this.identity,
      target,
      schema,
      "anywhere",
    );
    this.bindings.push(binding);
    return binding;
  }

  /** Somebody still refers to memory of the app. */
  get isPinned(): boolean {
    return this.pins > 0;
  }

  /** Calls back once nobody refers to the app's memory, perhaps at once. */
  whenUnpinned(action: () => void): void {
    if (this.pins === 0) action();
    else this.unpinned.push(action);
  }

  // ── Party ─────────────────────────────────────────────────────────────────────────────────────────

  get invalidReason(): string {
    return this.engine.invalidReason;
  }

  get receive(): Receiver | undefined {
    return this.isMoving ? undefined : this.engine.receive;
  }

  begin(call: Call, body: Body): Outcome {
    return this.engine.begin(call, body);
  }

  cancel(call: Call, reason: Status): void {
    this.engine.cancel(call, reason);
  }

  finish(call: Call, status: Status, origin: Origin, body: Body): Outcome {
    return this.engine.finish(call, status, origin, body);
  }

  finishWith(
    call: Call,
    status: Status,
    origin: Origin,
    message: string,
    trailers: Uint8Array | null,
  ): void {
    this.engine.finishWith(call, status, origin, message, trailers);
  }

  retry(call: Call): boolean {
    return this.engine.retry(call);
  }

  dropReply(call: Call): void {
    this.engine.dropReply(call);
  }

  parkedRequest(call: Call): Body | null {
    return this.engine.parkedRequest(call);
  }

  message(flow: Flow, body: Body): Outcome {
    return this.engine.message(flow, body);
  }

  credit(flow: Flow): void {
    this.engine.credit(flow);
  }

  adoptFlow(flow: Flow): void {
    this.engine.adoptFlow(flow);
  }

  blame(reason: string): void {
    this.engine.blame(reason);
  }

  // ── BlockOwner ────────────────────────────────────────────────────────────────────────────────────

  pin(): void {
    this.pins++;
  }

  unpin(): void {
    this.pins--;
    if (this.pins > 0) return;
    for (const action of this.unpinned.splice(0)) action();
  }

  releaseBlock(tag: number, offset: number): void {
    this.engine.releaseBlock(tag, offset);
  }
}

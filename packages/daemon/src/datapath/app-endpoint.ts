/**
 * The frontend engine of one app thread: takes descriptors out of its send ring, checks them, hands the
 * calls to the router, and puts requests and replies into its receive ring.
 *
 * The app may be hostile. Whatever it writes is copied out of shared memory before it is looked at; what
 * only a broken or hostile app can write is a violation: `dropped` gets the reason, nothing more is
 * read, and the host closes the datapath. Nobody else notices.
 */
import type { Engine } from "@koala/interface";
import { Origin, Status, statusFrom, statusName } from "@koala/interface";
import { doorbellRing } from "@koala/native";
import type { Caller } from "@koala/policy";
import {
  RELEASES_PER_SLOT,
  SLOT_WORDS,
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_KIND,
  W_RELEASED_OFFSET,
  W_RELEASED_TAG,
  W_STATUS,
  W_TARGET,
  W_TIMEOUT,
} from "@koala/protocol";
import { type Runtime, Timer } from "@koala/runtime";
import type { ServiceSchema } from "@koala/schema";
import { type Memory, RingConsumer, RingProducer, ringBytes } from "@koala/shm";
import { AppOutbox } from "./app-outbox.ts";
import { type Binding, createBinding, type Export } from "./binding.ts";
import { Body } from "./body.ts";
import { type BlockOwner, type Call, Outcome, Parked, type Party } from "./call.ts";
import { ParkQueue } from "./park-queue.ts";
import { ReceiveSpace, type ReceiveSpaceOptions, regionIdleMs } from "./receive-space.ts";
import type { Router } from "./router.ts";
import { SendRegions } from "./send-regions.ts";
import type { Translator } from "./translator.ts";

/** A call's index in the app's table is in the low bits of its id, a generation in the high ones. */
const CALL_INDEX_MASK = 0xfffff;
const retryMs = 20;

export interface AppEndpointOptions {
  id: number;
  /** For people: name and pid. */
  label: string;
  /** Who it is, for policies. */
  identity: Caller;
  rings: Memory;
  ringSlots: number;
  callsMax: number;
  metadataBytesMax: number;
  messageBytesMax: number;
  receiveBytesMax: number;
  regionBytes: number;
  /** Doorbell that wakes the app. */
  appDoorbell: number;
  translator: Translator;
  announce: ReceiveSpaceOptions["announce"];
  retract: (id: number) => void;
  /** The app broke a rule: the host closes the datapath soon. `violation` says why. */
  onViolation: (app: AppEndpoint) => void;
}

export class AppEndpoint implements Engine, Party, BlockOwner {
  readonly name: string;
  readonly label: string;
  readonly isLocal = true;
  readonly isApp = true;
  readonly id: number;
  readonly send: SendRegions;
  readonly receive: ReceiveSpace;
  readonly bindings: (Binding | undefined)[] = [];
  readonly exports: (Export | undefined)[] = [];
  invalidReason = "";
  /** Why the datapath must be closed; "" while all is well. */
  violation = "";
  /** Calls it made that are open, calls it serves that are open. */
  outgoing = 0;
  incoming = 0;
  callsMade = 0;
  callsServed = 0;
  private readonly options: AppEndpointOptions;
  private readonly router: Router;
  private readonly runtime: Runtime;
  private readonly consumer: RingConsumer;
  private readonly out: AppOutbox;
  private readonly words: Int32Array;
  private readonly slot = new Int32Array(SLOT_WORDS);
  private readonly body = new Body();
  private readonly calls: (Call | null)[];
  private readonly parked: ParkQueue;
  private readonly shrinkTimer: Timer;
  /** Wakes calls that wait for a region which the app could not take. */
  private readonly retryTimer: Timer;
  private pins = 0;
  private closed = false;

  constructor(options: AppEndpointOptions, router: Router, runtime: Runtime) {
    this.options = options;
    this.router = router;
    this.runtime = runtime;
    this.id = options.id;
    this.label = options.label;
    this.name = `app ${options.label}`;
    const { rings, ringSlots } = options;
    this.words = rings.i32;
    this.consumer = new RingConsumer(rings, 0, ringSlots);
    this.calls = new Array<Call | null>(options.callsMax).fill(null);
    this.send = new SendRegions(this, options.metadataBytesMax);
    this.parked = new ParkQueue((call) => router.offerAgain(call));
    this.receive = new ReceiveSpace({
      label: options.label,
      translator: options.translator,
      bytesMax: options.receiveBytesMax,
      regionBytes: options.regionBytes,
      announce: (id, region) => {
        const taken = options.announce(id, region);
        if (!taken) runtime.timers.set(this.retryTimer, runtime.nowMs + retryMs);
        return taken;
      },
      retract: options.retract,
      saved: null,
    });
    this.out = new AppOutbox(
      new RingProducer(rings, ringBytes(ringSlots), ringSlots),
      rings.i32,
      this.receive,
      options.appDoorbell,
      (callerId) => this.replied(callerId),
    );
    this.shrinkTimer = new Timer(() => this.shrink());
    this.retryTimer = new Timer(() => runtime.activate(this));
  }

  /** Calls whose request or reply waits for room here. */
  get parkedCount(): number {
    return this.parked.length + this.out.lateReplyCount;
  }

  bind(target: string, schema: ServiceSchema): Binding {
    const binding = createBinding(
      this.bindings.length,
      this,
      this.options.identity,
      target,
      schema,
      "anywhere",
    );
    this.bindings.push(binding);
    return binding;
  }

  /** The app gives a region of its send heap back; false when it has none with this id. */
  removeSendRegion(id: number): boolean {
    return this.send.remove(id, this.pins > 0);
  }

  // ── Engine ────────────────────────────────────────────────────────────────────────────────────────

  poll(budget: number): number {
    let done = 0;
    while (done < budget && this.violation === "") {
      const index = this.consumer.next();
      if (index < 0) break;
      done++;
      const words = this.words;
      const slot = this.slot;
      for (let i = 0; i < SLOT_WORDS; i++) slot[i] = words[index + i]!;
      this.takeSlot(slot);
    }
    if (this.consumer.corrupt) this.violate("the send ring's tail is impossible");
    if (this.out.corrupt) this.violate("the receive ring's head is impossible");
    if (this.consumer.release()) doorbellRing(this.options.appDoorbell);
    if (this.hasLate()) this.drain();
    return done;
  }

  flush(): void {
    if (this.closed) return;
    if (!this.out.flush()) this.awaitRing();
  }

  sleep(): boolean {
    return this.violation !== "" || this.consumer.sleep();
  }

  awake(): void {
    this.consumer.awake();
  }

  hasWork(): boolean {
    return this.consumer.hasNext();
  }

  // ── Party: this app serves the call ───────────────────────────────────────────────────────────────

  begin(call: Call, body: Body): Outcome {
    const { receive } = this;
    if (this.incoming >= this.options.callsMax || this.out.isFull) return this.park(call);
    const outcome = receive.put(body, call.method!.input, call.requestTranscoder);
    if (outcome === Outcome.PARK) return this.parkForSpace(call, body);
    if (outcome !== Outcome.DONE) {
      this.invalidReason = receive.invalidReason;
      return outcome;
    }
    this.out.writeCall(call, body, this.router.timeLeftMs(call));
    call.blockTag = receive.heap.tag;
    call.blockOffset = receive.heap.offset;
    this.incoming++;
    this.callsServed++;
    this.runtime.markDirty(this);
    return Outcome.DONE;
  }

  cancel(call: Call, reason: Status): void {
    // The call stays until the handler's reply comes, which nobody will read.
    if (!this.out.cancel(call.id, reason)) this.awaitRing();
    this.runtime.markDirty(this);
  }

  // ── Party: this app made the call ─────────────────────────────────────────────────────────────────

  finish(call: Call, status: Status, origin: Origin, body: Body): Outcome {
    const { receive } = this;
    if (this.out.isFull) return this.park(call);
    const outcome = receive.put(body, call.replyCodec!, call.replyTranscoder);
    if (outcome === Outcome.PARK) {
      if (receive.couldHold(body.bodyBytes())) return this.park(call);
      this.finishWith(
        call,
        Status.RESOURCE_EXHAUSTED,
        Origin.LOCAL_DAEMON,
        `a reply of ${body.bodyBytes()} bytes does not fit the receive heap; raise receive_heap in [limits] of koala.toml`,
        null,
      );
      return Outcome.DONE;
    }
    if (outcome !== Outcome.DONE) {
      this.invalidReason = receive.invalidReason;
      return outcome;
    }
    this.out.writeReply(call.callerId, status, origin, call.holdsRequest, body);
    return Outcome.DONE;
  }

  finishWith(
    call: Call,
    status: Status,
    origin: Origin,
    message: string,
    trailers: Uint8Array | null,
  ): void {
    const { callerId, holdsRequest } = call;
    if (!this.out.replyWith(callerId, status, origin, message, holdsRequest, trailers)) {
      this.awaitRing();
    }
  }

  retry(call: Call): boolean {
    const isReply = call.parked === Parked.REPLY;
    if (call.copy !== null) {
      return isReply
        ? this.passReply(call, call.slot, call.copy) !== Outcome.PARK
        : this.passRequest(call, call.copy);
    }
    const wrong = this.send.locate(call.slot, isReply, this.body);
    if (wrong !== "") {
      this.violate(wrong);
      return false;
    }
    return isReply
      ? this.passReply(call, call.slot, this.body) !== Outcome.PARK
      : this.passRequest(call, this.body);
  }

  parkedRequest(call: Call): Body | null {
    if (call.copy !== null) return call.copy;
    return this.send.locate(call.slot, false, this.body) === "" ? this.body : null;
  }

  dropReply(call: Call): void {
    this.releaseReply(call.slot);
  }

  // ── BlockOwner ────────────────────────────────────────────────────────────────────────────────────

  pin(): void {
    this.pins++;
  }

  unpin(): void {
    this.pins--;
    if (this.pins > 0) return;
    if (this.closed) this.send.close();
    else this.send.closeRetired();
  }

  releaseBlock(tag: number, offset: number): void {
    this.out.release(tag, offset);
    this.runtime.markDirty(this);
  }

  // ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Marks the datapath for closing; the host does it after this poll. */
  violate(reason: string): void {
    if (this.violation !== "") return;
    this.violation = reason;
    this.options.onViolation(this);
  }

  /** Ends everything that the app has to do with. Its shared memory goes once nothing refers to it. */
  close(status: Status, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.runtime.remove(this);
    this.runtime.timers.clear(this.shrinkTimer);
    this.runtime.timers.clear(this.retryTimer);
    for (const entry of this.exports) if (entry !== undefined) this.router.removeExport(entry);
    this.router.partyGone(this, status, Origin.REMOTE_APP, reason);
    this.receive.close();
    if (this.pins === 0) this.send.close();
  }

  private takeSlot(slot: Int32Array): void {
    switch (slot[W_KIND]! & 0xff) {
      case SlotKind.CALL:
        this.takeCall(slot);
        break;
      case SlotKind.REPLY:
        this.takeReply(slot);
        break;
      case SlotKind.CANCEL:
        this.takeCancel(slot);
        break;
      case SlotKind.RELEASE:
        this.takeRelease(slot);
        break;
      default:
        this.violate(`a slot of kind ${slot[W_KIND]! & 0xff}, which is none`);
    }
  }

  private takeCall(slot: Int32Array): void {
    this.takeReleased(slot);
    const callerId = slot[W_CALL]!;
    const index = callerId & CALL_INDEX_MASK;
    const binding = this.bindings[slot[W_TARGET]!];
    const method = binding?.schema.methods[slot[W_KIND]! >>> 16];
    if (binding === undefined || method === undefined) {
      this.violate(
        `a call of binding ${slot[W_TARGET]}, method ${slot[W_KIND]! >>> 16}: no such thing`,
      );
      return;
    }
    if (index >= this.calls.length || this.calls[index] !== null) {
      this.violate(
        `call id ${callerId} is in use or beyond the limit of ${this.calls.length} calls`,
      );
      return;
    }
    const wrong = this.send.locate(slot, false, this.body);
    if (wrong !== "" || this.body.inlineLength === 0) {
      this.violate(wrong === "" ? "a call without a message" : wrong);
      return;
    }
    const call = this.router.calls.openCall();
    if (call === undefined) {
      this.out.replyWith(
        callerId,
        Status.RESOURCE_EXHAUSTED,
        Origin.LOCAL_DAEMON,
        "too many calls",
        false,
      );
      return;
    }
    this.calls[index] = call;
    this.outgoing++;
    this.callsMade++;
    call.caller = this;
    call.callerId = callerId;
    call.binding = binding;
    call.method = method;
    call.waitForReady = (slot[W_KIND]! & (SlotFlag.WAIT_FOR_READY << 8)) !== 0;
    call.slot[W_BLOCK_TAG] = slot[W_BLOCK_TAG]!;
    call.slot[W_BLOCK_OFFSET] = slot[W_BLOCK_OFFSET]!;
    this.router.setDeadline(call, slot[W_TIMEOUT]! >>> 0);
    this.router.policies.begin(call);
    if (this.body.bodyBytes() > this.options.messageBytesMax) {
      const text = `a message of ${this.body.bodyBytes()} bytes is larger than ${this.options.messageBytesMax}; raise message in [limits] of koala.toml`;
      this.router.fail(call, Status.RESOURCE_EXHAUSTED, Origin.LOCAL_DAEMON, text);
      return;
    }
    call.slot.set(slot);
    this.passRequest(call, this.body);
  }

  /** Offers a request to whoever serves it. */
  private passRequest(call: Call, body: Body): boolean {
    const outcome = this.router.dispatch(call, body);
    if (outcome === Outcome.PARK) {
      call.parked = Parked.REQUEST;
      return false;
    }
    if (outcome === Outcome.INVALID)
      this.violate(call.callee?.invalidReason ?? "malformed message");
    else if (outcome === Outcome.UNTRANSLATABLE) this.router.failUntranslatable(call, "request");
    else if (call.open) call.parked = Parked.NO;
    return true;
  }

  private takeReply(slot: Int32Array): void {
    this.takeReleased(slot);
    const call = this.router.calls.get(slot[W_CALL]! >>> 0);
    if (call === undefined || call.callee !== this || call.parked !== Parked.NO) {
      this.violate(`a reply to call ${slot[W_CALL]! >>> 0}, which is not open`);
      return;
    }
    this.incoming--;
    const holds = (slot[W_KIND]! & (SlotFlag.HOLD << 8)) !== 0;
    if (!holds && this.receive.heap.free(call.blockTag, call.blockOffset)) {
      if (call.blockTag >>> 16 !== 0) this.armShrink();
    }
    const wrong = this.send.locate(slot, true, this.body);
    if (wrong !== "") {
      this.violate(wrong);
      return;
    }
    if (call.caller === null) {
      this.releaseReply(slot);
      this.router.end(call);
      return;
    }
    call.status = statusFrom(slot[W_STATUS]! & 0xff);
    call.origin = Origin.REMOTE_APP;
    if (call.status === Status.OK && this.body.inlineLength === 0) {
      this.violate("a reply without a message, though its status is OK");
      return;
    }
    if (this.body.bodyBytes() > this.options.messageBytesMax) {
      const text = `a reply of ${this.body.bodyBytes()} bytes is larger than ${this.options.messageBytesMax}; raise message in [limits] of koala.toml on the server's host`;
      this.releaseReply(slot);
      this.router.fail(call, Status.RESOURCE_EXHAUSTED, Origin.REMOTE_DAEMON, text);
      return;
    }
    this.passReply(call, slot, this.body);
  }

  /** Offers a reply to the caller. */
  private passReply(call: Call, slot: Int32Array, body: Body): Outcome {
    const { caller } = call;
    const outcome = this.router.deliver(call, call.status, call.origin, body);
    if (outcome === Outcome.PARK) {
      call.parked = Parked.REPLY;
      if (slot !== call.slot) call.slot.set(slot);
      return outcome;
    }
    call.parked = Parked.NO;
    if (outcome === Outcome.INVALID) {
      const reason = caller?.invalidReason ?? "malformed message";
      this.router.fail(call, Status.INTERNAL, Origin.REMOTE_APP, `the server sent a ${reason}`);
      this.violate(reason);
      return outcome;
    }
    if (outcome !== Outcome.HELD) this.releaseReply(slot);
    if (outcome === Outcome.UNTRANSLATABLE) this.router.failUntranslatable(call, "reply");
    else this.router.end(call);
    return outcome;
  }

  private releaseReply(slot: Int32Array): void {
    if ((slot[W_KIND]! & (SlotFlag.NO_BLOCK << 8)) !== 0) return;
    this.releaseBlock(slot[W_BLOCK_TAG]!, slot[W_BLOCK_OFFSET]!);
  }

  private takeCancel(slot: Int32Array): void {
    const callerId = slot[W_CALL]!;
    const call = this.calls[callerId & CALL_INDEX_MASK];
    // The reply may have crossed the cancellation.
    if (call === undefined || call === null) return;
    // What is here may be a call that has ended, with its reply late, and is another one by now.
    if (!call.open || call.caller !== this || call.callerId !== callerId) return;
    const reason = statusFrom(slot[W_STATUS]! & 0xff);
    this.router.abort(call, reason, Origin.APP, `the caller gave up (${statusName(reason)})`);
  }

  private takeRelease(slot: Int32Array): void {
    const count = slot[W_KIND]! >>> 16;
    if (count > RELEASES_PER_SLOT) {
      this.violate(`a release of ${count} blocks`);
      return;
    }
    for (let i = 0; i < count; i++) this.freeReceived(slot[1 + 2 * i]!, slot[2 + 2 * i]!);
  }

  private takeReleased(slot: Int32Array): void {
    if ((slot[W_KIND]! & (SlotFlag.RELEASES << 8)) === 0) return;
    this.freeReceived(slot[W_RELEASED_TAG]!, slot[W_RELEASED_OFFSET]!);
  }

  private freeReceived(tag: number, offset: number): void {
    if (!this.receive.heap.free(tag, offset)) {
      this.violate(`a release of block ${tag >>> 16}:${offset}, which is not in use`);
      return;
    }
    if (tag >>> 16 !== 0) this.armShrink();
  }

  private armShrink(): void {
    if (this.shrinkTimer.bucket >= 0 || !this.receive.heap.hasEmptyRegion()) return;
    this.runtime.timers.set(this.shrinkTimer, this.runtime.nowMs + regionIdleMs + 100);
  }

  private shrink(): void {
    if (this.receive.shrink()) this.armShrink();
  }

  /** The reply to this app's call has been written: its id may be used again. */
  private replied(callerId: number): void {
    this.calls[callerId & CALL_INDEX_MASK] = null;
    this.outgoing--;
    this.runtime.markDirty(this);
  }

  private hasLate(): boolean {
    return this.parked.length > 0 || this.out.hasLate;
  }

  /** The ring is full: the app is asked to wake this engine once it has read some of it. */
  private awaitRing(): void {
    // Nobody would ever ring for this app again, and what waits here occupies the memory of others.
    if (this.out.corrupt) this.violate("the receive ring's head is impossible");
    if (this.out.isFull && !this.out.waitForSpace()) this.runtime.activate(this);
  }

  private park(call: Call): Outcome {
    this.parked.push(call);
    this.awaitRing();
    return Outcome.PARK;
  }

  private parkForSpace(call: Call, body: Body): Outcome {
    if (this.receive.couldHold(body.bodyBytes())) return this.park(call);
    const text = `a request of ${body.bodyBytes()} bytes does not fit the receive heap of ${this.label}; raise receive_heap in [limits] of koala.toml on the server's host`;
    this.router.fail(call, Status.RESOURCE_EXHAUSTED, Origin.REMOTE_DAEMON, text);
    return Outcome.DONE;
  }

  /** Room may have come: everything that waits for it tries again, in order. */
  private drain(): void {
    this.out.retry();
    this.parked.drain();
    if (this.out.hasReleases) this.runtime.markDirty(this);
    if (this.hasLate()) this.awaitRing();
  }
}

/**
 * The frontend engine of one app thread: takes descriptors out of its send ring, checks them, hands the
 * calls to the router, and puts requests and replies into its receive ring.
 *
 * The app may be hostile. Whatever it writes is copied out of shared memory before it is looked at; what
 * only a broken or hostile app can write is a violation: `dropped` gets the reason, nothing more is
 * read, and the host closes the datapath. Nobody else notices.
 */
import { Origin, Status, statusFrom, statusName } from "@koala/interface";
import { doorbellRing } from "@koala/native";
import {
  SLOT_WORDS,
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_KIND,
  W_STATUS,
  W_TARGET,
  W_TIMEOUT,
} from "@koala/protocol";
import { type Runtime, Timer } from "@koala/runtime";
import { RingConsumer, RingProducer, ringBytes, without } from "@koala/shm";
import { AppStreams } from "../streams/app-streams.ts";
import { type Flow, takesStream } from "../streams/flow.ts";
import type { AppEngine, AppEngineOptions } from "./app-engine.ts";
import { AppOutbox } from "./app-outbox.ts";
import type { AppPort } from "./app-port.ts";
import { ringsOffsetIn } from "./app-region.ts";
import { AppReplies } from "./app-replies.ts";
import { BlockReturns } from "./block-returns.ts";
import { Body } from "./body.ts";
import { type Call, Outcome, Parked } from "./call.ts";
import { CallAliases } from "./call-aliases.ts";
import { CallerCalls } from "./caller-calls.ts";
import { type EndpointState, endpointStateVersion } from "./endpoint-state.ts";
import { ParkQueue } from "./park-queue.ts";
import { ReceiveSpace } from "./receive-space.ts";
import type { Router } from "./router.ts";
import { SendRegions } from "./send-regions.ts";

const retryMs = 20;
export class AppEndpoint implements AppEngine {
  readonly name: string;
  readonly label: string;
  readonly isLocal = true;
  readonly isApp = true;
  readonly id: number;
  readonly send: SendRegions;
  readonly receive: ReceiveSpace;
  invalidReason = "";
  /** Why the datapath must be closed; "" while all is well. */
  violation = "";
  /** Calls it serves that are open. */
  incoming = 0;
  callsMade = 0;
  callsServed = 0;
  private readonly options: AppEngineOptions;
  private readonly port: AppPort;
  private readonly router: Router;
  private readonly runtime: Runtime;
  private readonly consumer: RingConsumer;
  private readonly out: AppOutbox;
  private readonly words: Int32Array;
  private readonly slot = new Int32Array(SLOT_WORDS);
  private readonly body = new Body();
  private readonly calls: CallerCalls;
  private readonly parked: ParkQueue<Call>;
  private readonly returns: BlockReturns;
  private readonly replies: AppReplies;
  private readonly streams: AppStreams;
  /** Wakes calls that wait for a region which the app could not take. */
  private readonly retryTimer: Timer;
  /** Slots of CALLs that an engine before this one has read, and not passed on. */
  private readonly deferred: Int32Array[] = [];
  private readonly aliases = new CallAliases();
  private suspended = false;
  private closed = false;

  /** `saved`: the state of the engine that it takes the place of; it is suspended then. */
  constructor(options: AppEngineOptions, saved: EndpointState | null = null) {
    const { port, router, runtime, region, ringSlots } = options;
    const ringsAt = ringsOffsetIn(region, ringSlots);
    this.options = options;
    this.port = port;
    this.router = router;
    this.runtime = runtime;
    this.id = port.id;
    this.label = port.label;
    this.name = `app ${port.label}`;
    this.words = region.i32;
    this.consumer = new RingConsumer(region, ringsAt, ringSlots);
    this.calls = new CallerCalls(options.callsMax);
    this.send = new SendRegions(port, options.metadataBytesMax, region, ringsAt);
    this.parked = new ParkQueue((call) => router.offerAgain(call));
    this.receive = new ReceiveSpace({
      label: port.label,
      translator: options.translator,
      bytesMax: options.receiveBytesMax,
      regionBytes: options.regionBytes,
      announce: (id, region) => {
        const taken = options.announce(id, region);
        if (!taken) this.tryLater();
        return taken;
      },
      retract: options.retract,
      tryLater: () => this.tryLater(),
      saved: saved?.receive ?? null,
    });
    this.out = new AppOutbox(
      new RingProducer(region, ringsAt + ringBytes(ringSlots), ringSlots),
      region.i32,
      this.receive,
      options.appDoorbell,
      (callerId) => this.replied(callerId),
    );
    this.returns = new BlockReturns(this.receive, runtime, (reason) => this.violate(reason));
    this.retryTimer = new Timer(() => runtime.activate(this));
    const { send, receive, out, calls, aliases, body } = this;
    const { returns } = this;
    const { messageBytesMax } = options;
    const violate = (reason: string): void => this.violate(reason);
    this.replies = new AppReplies({
      ...{ port, router, send, returns, aliases, body, messageBytesMax, violate },
      answered: () => {
        this.incoming--;
      },
    });
    this.streams = new AppStreams({
      ...{ port, router, send, receive, out, calls, aliases, body, messageBytesMax, violate },
      awaitRing: () => this.awaitRing(),
      markDirty: () => runtime.markDirty(this),
    });
    if (saved !== null) this.load(saved);
  }

  /** Calls it made that are open. */
  get outgoing(): number {
    return this.calls.count;
  }

  /** Calls whose request or reply waits for room here. */
  get parkedCount(): number {
    return this.parked.length + this.streams.length + this.out.lateReplyCount;
  }

  /** The app gives a region of its send heap back; false when it has none with this id. */
  removeSendRegion(id: number): boolean {
    if (!this.send.remove(id, true)) return false;
    this.port.whenUnpinned(() => this.send.closeRetired());
    return true;
  }

  // ── Engine ────────────────────────────────────────────────────────────────────────────────────────

  poll(budget: number): number {
    if (this.suspended) return 0;
    let done = 0;
    if (this.deferred.length > 0) {
      for (const slot of this.deferred.splice(0)) if (this.violation === "") this.takeSlot(slot);
    }
    while (done < budget && this.violation === "") {
      const index = this.consumer.next();
      if (index < 0) break;
      done++;
      const words = this.words;
      const slot = this.slot;
      for (let i = 0; i < SLOT_WORDS; i++) slot[i] = words[index + i]!;
      this.takeSlot(slot);
      if (without.batching) this.runtime.flushAll();
    }
    if (this.consumer.corrupt) this.violate("the send ring's tail is impossible");
    if (this.out.corrupt) this.violate("the receive ring's head is impossible");
    if (this.out.isFlooded) this.violate("messages without end, and no look at its receive ring");
    if (this.consumer.release()) doorbellRing(this.options.appDoorbell);
    if (this.hasLate()) this.drain();
    return done;
  }

  flush(): void {
    if (this.closed || this.suspended) return;
    if (!this.out.flush()) this.awaitRing();
  }

  sleep(): boolean {
    return this.suspended || this.violation !== "" || this.consumer.sleep();
  }

  awake(): void {
    this.consumer.awake();
  }

  hasWork(): boolean {
    return !this.suspended && this.consumer.hasNext();
  }

  // ── Party: this app serves the call ───────────────────────────────────────────────────────────────

  begin(call: Call, body: Body): Outcome {
    const { receive } = this;
    // Another call may be known by this id, from before the app came to this runtime.
    const isTaken = this.aliases.has(call.id);
    if (this.incoming >= this.options.callsMax || this.out.isFull || isTaken)
      return this.park(call);
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
    this.port.bytesIn += body.bodyBytes();
    this.runtime.markDirty(this);
    return Outcome.DONE;
  }

  cancel(call: Call, reason: Status): void {
    // The call stays until the handler's reply comes, which nobody will read.
    if (!this.out.cancel(this.knownAs(call), reason)) this.awaitRing();
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
    this.port.bytesIn += body.bodyBytes();
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
        ? this.replies.pass(call, call.slot, call.copy) !== Outcome.PARK
        : this.passRequest(call, call.copy);
    }
    const wrong = this.send.locate(call.slot, isReply, this.body);
    if (wrong !== "") {
      this.violate(wrong);
      return false;
    }
    return isReply
      ? this.replies.pass(call, call.slot, this.body) !== Outcome.PARK
      : this.passRequest(call, this.body);
  }

  parkedRequest(call: Call): Body | null {
    if (call.copy !== null) return call.copy;
    return this.send.locate(call.slot, false, this.body) === "" ? this.body : null;
  }

  dropReply(call: Call): void {
    this.replies.release(call.slot);
  }

  message(flow: Flow, body: Body): Outcome {
    const outcome = this.streams.message(flow, body);
    if (outcome === Outcome.INVALID) this.invalidReason = this.receive.invalidReason;
    return outcome;
  }

  credit(flow: Flow): void {
    this.streams.credit(flow);
  }

  adoptFlow(flow: Flow): void {
    this.streams.adopt(flow);
  }

  blame(reason: string): void {
    this.violate(reason);
  }

  /** A block of the app's send heap is its own again. */
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
    this.returns.stop();
    this.runtime.timers.clear(this.retryTimer);
    for (const entry of this.port.exports) if (entry !== undefined) this.router.removeExport(entry);
    this.router.partyGone(this.port, status, Origin.REMOTE_APP, reason);
    this.receive.close();
    this.port.whenUnpinned(() => this.send.close());
  }

  // ── Replaceable ───────────────────────────────────────────────────────────────────────────────────

  suspend(): void {
    if (this.consumer.release()) doorbellRing(this.options.appDoorbell);
    this.out.retry();
    this.out.flush();
    this.out.hold();
    this.suspended = true;
    this.runtime.remove(this);
    this.returns.stop();
    this.runtime.timers.clear(this.retryTimer);
  }

  decompose(): EndpointState {
    const { id, label, deferred, callsMade, callsServed } = this;
    return {
      version: endpointStateVersion,
      id,
      label,
      send: this.send.save(),
      receive: this.receive.save(),
      ...this.out.save(),
      deferred: [...deferred],
      callsMade,
      callsServed,
    };
  }

  resume(): void {
    this.suspended = false;
    this.out.letGo();
    this.receive.renew();
    this.returns.arm();
    this.runtime.activate(this);
  }

  retire(): void {
    this.closed = true;
    this.runtime.remove(this);
    this.returns.stop();
    this.runtime.timers.clear(this.retryTimer);
    this.receive.close();
    this.port.whenUnpinned(() => this.send.unmap());
  }

  parkedCalls(): readonly Call[] {
    return this.parked.waiting();
  }

  parkedFlows(): readonly Flow[] {
    return this.streams.waiting();
  }

  knownAs(call: Call): number {
    return this.aliases.idOf(call);
  }

  adoptOutgoing(call: Call): void {
    this.calls.open(call.callerId, call);
  }

  adoptIncoming(call: Call, knownAs: number): void {
    this.incoming++;
    if (knownAs !== call.id) this.aliases.add(knownAs, call);
  }

  adoptParked(call: Call): void {
    this.parked.push(call);
  }

  withdraw(call: Call): Int32Array {
    this.calls.end(call.callerId);
    this.callsMade--;
    const slot = call.slot.slice();
    slot[W_KIND] = slot[W_KIND]! & ~(SlotFlag.RELEASES << 8);
    slot[W_TIMEOUT] = this.router.timeLeftMs(call);
    return slot;
  }

  defer(slots: readonly Int32Array[]): void {
    this.deferred.push(...slots);
  }

  detachReply(call: Call): boolean {
    return this.replies.detach(call);
  }

  private tryLater(): void {
    this.runtime.timers.set(this.retryTimer, this.runtime.nowMs + retryMs);
  }

  private load(saved: EndpointState): void {
    this.suspended = true;
    this.out.hold();
    this.out.load(saved);
    for (const { callerId } of saved.lateReplies) this.calls.openEnded(callerId);
    this.deferred.push(...saved.deferred);
    this.callsMade = saved.callsMade;
    this.callsServed = saved.callsServed;
    try {
      this.send.restore(saved.send);
    } catch (error) {
      this.receive.close();
      throw error;
    }
  }

  private takeSlot(slot: Int32Array): void {
    switch (slot[W_KIND]! & 0xff) {
      case SlotKind.CALL:
        this.takeCall(slot);
        break;
      case SlotKind.REPLY:
        this.replies.take(slot);
        break;
      case SlotKind.CANCEL:
        this.takeCancel(slot);
        break;
      case SlotKind.RELEASE:
        this.returns.takeSlot(slot);
        break;
      case SlotKind.MESSAGE:
        this.returns.takeBeside(slot);
        this.streams.takeMessage(slot);
        break;
      case SlotKind.CREDIT:
        this.returns.takeBeside(slot);
        this.streams.takeCredit(slot);
        break;
      default:
        this.violate(`a slot of kind ${slot[W_KIND]! & 0xff}, which is none`);
    }
  }

  private takeCall(slot: Int32Array): void {
    this.returns.takeBeside(slot);
    const callerId = slot[W_CALL]!;
    const binding = this.port.bindings[slot[W_TARGET]!];
    const method = binding?.schema.methods[slot[W_KIND]! >>> 16];
    if (binding === undefined || method === undefined) {
      this.violate(
        `a call of binding ${slot[W_TARGET]}, method ${slot[W_KIND]! >>> 16}: no such thing`,
      );
      return;
    }
    if (!this.calls.isFree(callerId)) {
      this.violate(`call id ${callerId} is in use or beyond the limit of ${this.calls.max} calls`);
      return;
    }
    const wrong = this.send.locate(slot, false, this.body);
    const { inlineLength, segmentCount } = this.body;
    const isWhole = takesStream(method.kind) ? inlineLength + segmentCount === 0 : inlineLength > 0;
    if (wrong !== "" || !isWhole) {
      this.violate(wrong === "" ? "a call without a message, or with one too many" : wrong);
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
    this.calls.open(callerId, call);
    this.callsMade++;
    call.caller = this.port;
    call.callerId = callerId;
    call.binding = binding;
    call.method = method;
    call.waitForReady = (slot[W_KIND]! & (SlotFlag.WAIT_FOR_READY << 8)) !== 0;
    this.router.streams.open(call);
    call.slot[W_BLOCK_TAG] = slot[W_BLOCK_TAG]!;
    call.slot[W_BLOCK_OFFSET] = slot[W_BLOCK_OFFSET]!;
    this.router.setDeadline(call, slot[W_TIMEOUT]! >>> 0);
    this.router.policies.begin(call);
    this.router.observer.begin(call, this.body);
    this.port.bytesOut += this.body.bodyBytes();
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

  private takeCancel(slot: Int32Array): void {
    const callerId = slot[W_CALL]!;
    const call = this.calls.at(callerId);
    // The reply may have crossed the cancellation.
    if (call === null) return;
    // What is here may be a call that has ended, with its reply late, and is another one by now.
    if (!call.open || call.caller !== this.port || call.callerId !== callerId) return;
    const reason = statusFrom(slot[W_STATUS]! & 0xff);
    this.router.abort(call, reason, Origin.APP, `the caller gave up (${statusName(reason)})`);
  }

  /** The reply to this app's call has been written: its id may be used again. */
  private replied(callerId: number): void {
    this.calls.end(callerId);
    this.runtime.markDirty(this);
  }

  private hasLate(): boolean {
    return this.parked.length > 0 || this.out.hasLate || this.streams.hasLate;
  }

  /** The ring is full: the app is asked to wake this engine once it has read some of it. */
  private awaitRing(): void {
    // Nobody would ever ring for this app again, and what waits here occupies the memory of others.
    if (this.out.corrupt) this.violate("the receive ring's head is impossible");
    if (this.suspended) return;
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
    if (this.streams.hasLate) this.streams.drain();
    if (this.out.hasReleases) this.runtime.markDirty(this);
    if (this.hasLate()) this.awaitRing();
  }
}

/**
 * One connection's rings and heaps, and when they are looked at.
 *
 * ```
 *  doorbell ─▶ drain: up to 256 slots ─▶ promises settle, handlers run ─▶ settle (a microtask):
 *                ▲                                                          flush what was written,
 *                └──────────────── slots have come in meanwhile ◀────────── then sleep
 * ```
 *
 * `settle` runs once a burst, after the continuations of all calls that the drain resolved. So 128 calls
 * that are answered by 128 new ones cost one publication and at most one doorbell. The app's sleeping flag is
 * set there, too: replies that come while continuations run need no doorbell.
 */
import { availableParallelism } from "node:os";
import { assert, Status } from "@koala/interface";
import {
  closeFd,
  monotonicMicros,
  POLL_IN,
  runnableThreads,
  threadYield,
  unwatch,
  watch,
  watchRef,
} from "@koala/native";
import type { AppLimits, DaemonMessage } from "@koala/protocol";
import { segmentBytesMin } from "@koala/schema";
import {
  type Memory,
  mapRegion,
  RingConsumer,
  RingProducer,
  ringBytes,
  SpinHistory,
  Spinner,
  without,
} from "@koala/shm";
import { DeadlineWatch } from "../calls/deadline-watch.ts";
import { PendingCalls } from "../calls/pending-calls.ts";
import { failPending } from "../calls/reply.ts";
import { pumpWaiting } from "../calls/submit.ts";
import { WaitingCalls } from "../calls/waiting-calls.ts";
import { RpcError } from "../errors/rpc-error.ts";
import { MessageWriter } from "../memory/message-writer.ts";
import { ReceiveHeap } from "../memory/receive-heap.ts";
import { RegionKeeper } from "../memory/region-keeper.ts";
import { SendHeap } from "../memory/send-heap.ts";
import type { IncomingCall } from "../serving/incoming-call.ts";
import type { ServiceExport } from "../serving/service-export.ts";
import type { StreamInbox } from "../streams/stream-inbox.ts";
import type { StreamWriter } from "../streams/stream-writer.ts";
import type { Attachment } from "./attach.ts";
import type { ControlChannel } from "./control-channel.ts";
import type { Log } from "./log.ts";
import { takeSlot } from "./slot-dispatch.ts";
import { SlotOutbox } from "./slot-outbox.ts";

/** Slots of one drain, before continuations get their turn. */
const drainSlotsMax = 256;
/** Slots, and drains, without a look at the rest of the event loop. */
const turnSlotsMax = 4096;
const turnDrainsMax = 64;
/** Replies that are held back from the daemon while a drain goes on. */
const flushSlots = 128;
/** Microtasks for continuations to make calls that can carry released blocks. */
const hopsMax = 3;

/** How long the event loop turns without sleeping when an answer is likely to come; see `Spinner`. */
const spinMicrosMax = 200;

const settled = Promise.resolve();

/** Who hears of the end of a datapath. */
export interface DatapathOwner {
  /** What can be reached has changed. */
  onOffers(): void;
  /** The daemon takes no new calls on this connection. */
  onDrain(datapath: Datapath): void;
  onEnd(datapath: Datapath, reason: string, mayReconnect: boolean): void;
  readonly log: Log;
}

/** Something that found no room in the send heap. */
export interface Deferred {
  /** Tries again, now that there may be room; false when there is still none. */
  tryAgain(): boolean;
}

export class Datapath {
  ended = false;
  readonly limits: AppLimits;
  readonly log: Log;
  readonly control: ControlChannel;
  readonly out: SlotOutbox;
  readonly send: SendHeap;
  readonly writer: MessageWriter;
  readonly receive: ReceiveHeap = new ReceiveHeap();
  readonly regions: RegionKeeper;
  readonly pending: PendingCalls;
  readonly deadlines: DeadlineWatch = new DeadlineWatch(this);
  /** Calls that wait for room here. */
  readonly waiting: WaitingCalls = new WaitingCalls();
  /** Exports by the id that the daemon gave. */
  readonly exports: Map<number, ServiceExport> = new Map();
  /** Calls whose handlers run. */
  readonly incoming: Map<number, IncomingCall> = new Map();
  /** Replies and messages of streams that wait for room in the send heap. */
  readonly deferred: Deferred[] = [];
  /** Streams that have ended and have messages that nobody has taken. */
  readonly unread: Set<StreamInbox> = new Set();
  /** Views in use of blocks of this connection. */
  viewCount = 0;
  /** Methods whose views were forgotten, and that was said. */
  private readonly forgotten = new Set<string>();
  /** Blocks that the daemon gives back with a RELEASE. */
  awaitingRelease = 0;
  /** Something that waiting calls wait for has become free. */
  hasRoom = false;
  /** When the current drain began, as of `performance.now()`; 0 until somebody asked. */
  private drainedAt = 0;

  private readonly owner: DatapathOwner;
  private readonly rings: Memory;
  private readonly consumer: RingConsumer;
  private readonly daemonBell: number;
  private readonly appBell: number;
  private readonly watcher: number;
  /** Streams with a block that is not full. */
  private readonly due: StreamWriter[] = [];
  private readonly onSettle: () => void;
  private readonly onTick: () => void;
  private readonly onTurn: () => void;
  private readonly onSpin: () => void;
  private readonly spinner = new Spinner({
    maxMicros: without.spinning ? 0 : spinMicrosMax,
    fixed: false,
    cores: availableParallelism(),
    runnableThreads,
  });
  /** Pauses after this app has called, and others. */
  private readonly callPauses = new SpinHistory();
  private readonly otherPauses = new SpinHistory();
  private pauseHistory: SpinHistory | null = null;
  private pauseBegan = 0;
  private spinMicros = 0;
  private isSpinning = false;
  private isReferenced = false;
  private isScheduled = false;
  private isDraining = false;
  private isAwake = false;
  private turnSlots = 0;
  private turnDrains = 0;
  private hops = 0;
  private closing: { reason: string; mayReconnect: boolean } | null = null;

  constructor(attachment: Attachment, owner: DatapathOwner) {
    const { welcome, control } = attachment;
    this.owner = owner;
    this.limits = welcome.limits;
    this.log = owner.log;
    this.control = control;
    this.daemonBell = attachment.daemonBell;
    this.appBell = attachment.appBell;
    const { ringsOffset, regionBytes, limits } = welcome;
    this.rings = mapRegion(attachment.region, regionBytes, true);
    closeFd(attachment.region);
    this.send = new SendHeap(this.rings, ringsOffset);
    this.writer = new MessageWriter(this.send, limits.messageBytesMax);
    this.regions = new RegionKeeper(this);
    this.pending = new PendingCalls(limits.callsMax);
    const slots = limits.ringSlots;
    const producer = new RingProducer(this.rings, ringsOffset, slots);
    this.out = new SlotOutbox(producer, this.rings.i32, this.daemonBell);
    this.consumer = new RingConsumer(this.rings, ringsOffset + ringBytes(slots), slots);
    this.onSettle = () => this.settle();
    this.onTick = () => this.flushDue();
    this.onTurn = () => this.wake();
    this.onSpin = () => this.lookAgain();
    const owned = [this.appBell, this.daemonBell];
    const options = { clear: true, ref: false, owned };
    this.watcher = watch(this.appBell, POLL_IN, this.onTurn, options);
    control.keepAlive(false);
    control.listener = {
      onPacket: (message, fds) => this.onPacket(message, fds),
      onEnd: (reason) => this.lose(reason),
    };
    if (!this.consumer.sleep()) setImmediate(this.onTurn);
  }

  /** True when a call can be submitted now, in its turn. */
  isOpen(): boolean {
    return this.waiting.size === 0 && this.pending.size < this.pending.max && !this.ended;
  }

  /** Has what was written published soon, once for all that is written in this burst. */
  schedule(): void {
    if (without.batching && this.out.isDirty) this.out.flush();
    if (this.isScheduled) return;
    this.isScheduled = true;
    void settled.then(this.onSettle);
  }

  /**
   * Has a stream send what it has once all that is ready has run: later than `schedule`, so that a source
   * that gives one message after the other fills blocks.
   */
  flushLater(writer: StreamWriter): void {
    if (this.due.push(writer) === 1) process.nextTick(this.onTick);
  }

  /** Memory of a receive block; looks for news on the control channel before it gives up. */
  receiveMemory(tag: number): Memory | undefined {
    const memory = this.receive.memoryOf(tag);
    if (memory !== undefined) return memory;
    this.control.poll();
    return this.receive.memoryOf(tag);
  }

  /** The export with this id; the answer that names it may still be in the control channel. */
  exportOf(id: number): ServiceExport | undefined {
    const known = this.exports.get(id);
    if (known !== undefined) return known;
    this.control.poll();
    return this.exports.get(id);
  }

  /** A slot brought so many messages of a stream: that is work for more than one. */
  countMessages(count: number): void {
    this.turnSlots += count >> 2;
  }

  /** The time of the current drain, read from the clock once a drain. */
  drainTime(): number {
    if (this.drainedAt === 0) this.drainedAt = performance.now();
    return this.drainedAt;
  }

  /** For views: each method is named once a connection, not each view. */
  onForgotten(what: string): void {
    if (this.forgotten.has(what)) return;
    this.forgotten.add(what);
    this.log(
      "warn",
      `a view of a message of ${what} was collected without release(message): its memory was in use until then; release views, or declare them with "using" (said once for this method)`,
    );
  }

  giveBack(tag: number, offset: number, bytes: number): void {
    this.out.release(tag, offset, bytes);
    this.schedule();
  }

  /** Something arrived that a correct daemon does not send. */
  protocolError(what: string): void {
    this.fail(`the daemon broke the protocol: ${what}`);
  }

  /** The connection is lost: every pending call ends with UNAVAILABLE. */
  fail(reason: string): void {
    if (this.ended) return;
    const why = this.closing?.reason ?? reason;
    this.end(why, (text) => lostError(text), this.closing?.mayReconnect ?? true);
  }

  /** The app has enough: every pending call ends with CANCELLED. */
  close(): void {
    if (this.ended) return;
    this.end("the mesh was closed", (text) => new RpcError(Status.CANCELLED, text), false);
  }

  /** Memory for a large field, see `Mesh.bytes`. */
  takeBytes(length: number): Uint8Array {
    if (length < segmentBytesMin || this.ended) return new Uint8Array(length);
    const bytes = this.send.takeBytes(length);
    if (bytes !== undefined) return bytes;
    if (length <= this.limits.messageBytesMax) this.regions.want(length);
    return new Uint8Array(length);
  }

  /** True when the daemon has taken every slot and given back every block of a reply. */
  isQuiet(): boolean {
    return this.ended || (this.awaitingRelease === 0 && this.out.isEmpty(this.limits.ringSlots));
  }

  /** Handles all that the daemon has written so far. */
  catchUp(): void {
    const turns = (2 * this.limits.ringSlots) / drainSlotsMax;
    for (let turn = 0; turn <= turns && this.drain() > 0; turn++);
  }

  /** The daemon has gone: what it wrote before that still counts. */
  private lose(reason: string): void {
    this.catchUp();
    this.fail(reason);
  }

  /** Memory is unmapped once nothing on the stack can be using it. */
  private end(reason: string, errorOf: (text: string) => RpcError, mayReconnect: boolean): void {
    this.ended = true;
    this.control.end();
    unwatch(this.watcher);
    this.regions.close();
    this.deadlines.stop();
    for (const inbox of this.unread) inbox.rescue();
    failPending(this, () => errorOf(reason));
    for (const call of this.incoming.values()) call.disconnect(reason);
    this.incoming.clear();
    this.deferred.length = 0;
    setImmediate(() => this.dispose());
    this.owner.onEnd(this, reason, mayReconnect);
  }

  private dispose(): void {
    closeFd(this.daemonBell);
    closeFd(this.appBell);
    this.send.close();
    this.receive.close(this.viewCount > 0);
  }

  private wake(): void {
    this.endPause();
    this.isAwake = true;
    this.turnSlots = 0;
    this.turnDrains = 0;
    this.drain();
  }

  /** Handles what is there, in bounds; the number of slots. */
  private drain(): number {
    if (this.ended || this.isDraining) return 0;
    this.isDraining = true;
    this.drainedAt = 0;
    const words = this.rings.i32;
    let count = 0;
    while (count < drainSlotsMax) {
      const at = this.consumer.next();
      if (at === -1) break;
      count++;
      takeSlot(this, words, at);
      if (this.ended) break;
      if ((count & (flushSlots - 1)) === 0 && this.out.isDirty) this.out.flush();
    }
    this.isDraining = false;
    if (this.ended) return 0;
    if (this.consumer.corrupt || this.out.corrupt) {
      this.protocolError("ring positions");
      return 0;
    }
    if (this.consumer.release()) this.out.ringAtFlush();
    this.turnSlots += count;
    this.turnDrains++;
    if (this.hasRoom) this.pump();
    this.hops = 0;
    this.schedule();
    return count;
  }

  /** Replies and calls that waited for room try again. */
  pump(): void {
    this.hasRoom = false;
    while (this.deferred.length > 0) {
      if (!this.deferred[0]!.tryAgain()) break;
      this.deferred.shift();
    }
    if (this.waiting.size > 0) pumpWaiting(this);
    this.regions.noteFree();
  }

  private flushDue(): void {
    // What is written needs no microtask to be published.
    this.isScheduled = true;
    for (const writer of this.due) writer.flushDue();
    this.due.length = 0;
    this.settle();
  }

  private settle(): void {
    this.isScheduled = false;
    if (this.ended) return;
    if (this.due.length > 0) {
      // More is about to be written; then is the time to look further.
      if (this.out.isDirty) this.out.flush();
      return;
    }
    if (!this.out.isDirty && this.out.wantsReleaseSlots() && this.hops < hopsMax) {
      this.hops++;
      this.schedule();
      return;
    }
    this.out.flush();
    if (this.out.corrupt) {
      this.protocolError("ring positions");
      return;
    }
    this.updateReference();
    if (!this.isAwake) return;
    if (this.turnSlots >= turnSlotsMax || this.turnDrains >= turnDrainsMax) {
      setImmediate(this.onTurn);
    } else if (!this.pause() && this.consumer.sleep()) {
      this.isAwake = false;
    } else if (!this.isSpinning) {
      this.endPause();
      this.drain();
    }
  }

  /** There is nothing to do: true while the event loop is to turn without a sleep. */
  private pause(): boolean {
    if (this.isSpinning) return true;
    if (this.consumer.hasNext()) return false;
    if (this.pauseHistory === null) {
      this.pauseHistory = this.pending.size > 0 ? this.callPauses : this.otherPauses;
      this.pauseBegan = monotonicMicros();
      this.spinMicros = this.spinner.budgetMicros(this.pauseHistory);
    }
    if (this.spinMicros === 0 || monotonicMicros() - this.pauseBegan > this.spinMicros)
      return false;
    this.isSpinning = true;
    setImmediate(this.onSpin);
    return true;
  }

  /** A turn of the event loop later: everything else that is ready has had its turn, too. */
  private lookAgain(): void {
    this.isSpinning = false;
    if (this.ended) return;
    threadYield();
    if (this.consumer.hasNext()) this.wake();
    else this.settle();
  }

  private endPause(): void {
    if (this.pauseHistory === null) return;
    this.spinner.learn(this.pauseHistory, monotonicMicros() - this.pauseBegan);
    this.pauseHistory = null;
  }

  /** Pending calls and services keep the process alive, an idle connection does not. */
  updateReference(): void {
    const isActive = this.pending.size > 0 || this.waiting.size > 0 || this.exports.size > 0;
    if (isActive === this.isReferenced || this.ended) return;
    this.isReferenced = isActive;
    watchRef(this.watcher, isActive);
  }

  private onPacket(message: DaemonMessage, fds: readonly number[]): void {
    switch (message.op) {
      case "region":
        this.addRegion(message, fds);
        return;
      case "unmap":
        this.receive.dropRegion(message.id);
        return;
      case "drain":
        this.owner.onDrain(this);
        return;
      case "offers":
        this.owner.onOffers();
        return;
      case "closed":
        this.closing = { reason: message.message, mayReconnect: message.reconnect };
        this.lose(message.message);
        return;
      default:
        // Late answers to requests that nobody waits for.
        fds.forEach(closeFd);
        return;
    }
  }

  /** A region that came by itself, or as the answer to `grow`. */
  addRegion(message: Extract<DaemonMessage, { op: "region" }>, fds: readonly number[]): void {
    assert(fds.length === 1, "a region comes with its descriptor");
    if (message.heap === "receive") this.receive.addRegion(message.id, fds[0]!, message.bytes);
    else this.send.addRegion(message.id, fds[0]!, message.bytes);
  }
}

function lostError(reason: string): RpcError {
  return new RpcError(Status.UNAVAILABLE, `the connection to the daemon ended: ${reason}`, {
    origin: "local-daemon",
  });
}

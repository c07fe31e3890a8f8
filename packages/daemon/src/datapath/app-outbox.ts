/**
 * The way to an app: slots into its receive ring, and what has to wait while that ring is full. Requests
 * and replies with a message wait elsewhere (they are parked); bare statuses, cancellations and released
 * blocks wait here, bounded by the calls that the app has open, and by `isFlooded` for blocks of messages.
 */
import type { Origin, Status } from "@koala/interface";
import { doorbellRing } from "@koala/native";
import {
  RELEASES_PER_SLOT,
  SlotFlag,
  SlotKind,
  statusMessageBytesMax,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_COST,
  W_COUNT,
  W_DETAILS_LENGTH,
  W_INLINE_LENGTH,
  W_KIND,
  W_MESSAGE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
  W_STATUS,
  W_TARGET,
  W_TIMEOUT,
} from "@koala/protocol";
import { type RingProducer, TracePoint, tracePoints } from "@koala/shm";
import { Body } from "./body.ts";
import type { Call } from "./call.ts";
import type { EndpointState, LateCancel, LateReply } from "./endpoint-state.ts";
import type { ReceiveSpace } from "./receive-space.ts";

/** Blocks that may wait to be given back to an app that does not read; more, and it loses its connection. */
const releasesMax = 65_536;

export class AppOutbox {
  private readonly ring: RingProducer;
  private readonly words: Int32Array;
  private readonly receive: ReceiveSpace;
  private readonly bell: number;
  private readonly onReplied: (callerId: number) => void;
  private readonly text = new Body();
  private readonly lateReplies: LateReply[] = [];
  private readonly lateCancels: LateCancel[] = [];
  private readonly releases: number[] = [];
  private isHeld = false;

  /** `onReplied` is told when the slot of a call's one reply has been written. */
  constructor(
    ring: RingProducer,
    words: Int32Array,
    receive: ReceiveSpace,
    bell: number,
    onReplied: (callerId: number) => void,
  ) {
    this.ring = ring;
    this.words = words;
    this.receive = receive;
    this.bell = bell;
    this.onReplied = onReplied;
  }

  get isFull(): boolean {
    return this.isHeld || this.ring.free() === 0;
  }

  get corrupt(): boolean {
    return this.ring.corrupt;
  }

  /** From now on nothing goes into the ring: what comes waits here. */
  hold(): void {
    this.isHeld = true;
  }

  /** The opposite of `hold`. */
  letGo(): void {
    this.isHeld = false;
  }

  /** What waits here, for a successor. */
  save(): Pick<EndpointState, "lateReplies" | "lateCancels" | "releases"> {
    const { lateReplies, lateCancels, releases } = this;
    return {
      lateReplies: [...lateReplies],
      lateCancels: [...lateCancels],
      releases: [...releases],
    };
  }

  /** What waited in a predecessor. */
  load(saved: Pick<EndpointState, "lateReplies" | "lateCancels" | "releases">): void {
    this.lateReplies.push(...saved.lateReplies);
    this.lateCancels.push(...saved.lateCancels);
    for (const word of saved.releases) this.releases.push(word);
  }

  /** Statuses that wait for room. */
  get lateReplyCount(): number {
    return this.lateReplies.length;
  }

  get hasReleases(): boolean {
    return this.releases.length > 0;
  }

  /** The app goes on to send messages, and reads nothing of what it gets. */
  get isFlooded(): boolean {
    return this.releases.length > 2 * releasesMax;
  }

  /** Something waits here for room in the ring. */
  get hasLate(): boolean {
    return this.lateReplies.length > 0 || this.lateCancels.length > 0 || this.releases.length > 0;
  }

  /** The request that `receive` has just placed. The ring must not be full. */
  writeCall(call: Call, body: Body, timeoutMs: number): void {
    const at = this.ring.reserve();
    const { words } = this;
    const flags = body.hasTrace ? SlotFlag.TRACE : 0;
    words[at + W_KIND] = SlotKind.CALL | (flags << 8) | (call.calleeMethod << 16);
    words[at + W_CALL] = call.id | 0;
    words[at + W_TARGET] = call.calleeTarget;
    words[at + W_TIMEOUT] = timeoutMs;
    this.writeBlock(at, body);
  }

  /** The reply that `receive` has just placed. The ring must not be full. */
  writeReply(callerId: number, status: Status, origin: Origin, hold: boolean, body: Body): void {
    const at = this.openReply(callerId, status, origin, hold, body.hasTrace);
    this.words[at + W_MESSAGE_LENGTH] = body.messageLength;
    this.words[at + W_DETAILS_LENGTH] = body.detailsLength;
    this.writeBlock(at, body);
  }

  /**
   * Messages of a streaming call, which `receive` has just placed unless there is no block. The ring must
   * not be full.
   */
  writeMessage(id: number, fromCallee: boolean, body: Body, hasBlock: boolean): void {
    const at = this.ring.reserve();
    const { words } = this;
    const flags =
      body.streamFlags |
      (fromCallee ? SlotFlag.FROM_CALLEE : 0) |
      (hasBlock ? 0 : SlotFlag.NO_BLOCK);
    words[at + W_KIND] = SlotKind.MESSAGE | (flags << 8);
    words[at + W_CALL] = id | 0;
    words[at + W_COST] = body.cost;
    words[at + W_COUNT] = body.count;
    if (hasBlock) this.writeBlock(at, body);
  }

  /** Credit for messages of the app; `byCallee`: it is the caller, and the callee has granted it. */
  writeCredit(id: number, byCallee: boolean, bytes: number): boolean {
    if (this.isHeld) return false;
    const at = this.ring.reserve();
    if (at < 0) return false;
    this.words[at + W_KIND] = SlotKind.CREDIT | ((byCallee ? SlotFlag.FROM_CALLEE : 0) << 8);
    this.words[at + W_CALL] = id | 0;
    this.words[at + W_COST] = bytes;
    return true;
  }

  /** A reply without a message of the protocol, now or as soon as there is room. */
  replyWith(
    callerId: number,
    status: Status,
    origin: Origin,
    message: string,
    hold: boolean,
    trailers: Uint8Array | null = null,
  ): boolean {
    const reply = { callerId, status, origin, message, hold, trailers };
    if (this.writeStatus(reply)) return true;
    this.lateReplies.push(reply);
    return false;
  }

  /** Tells the app that nobody waits for the reply of a call, now or as soon as there is room. */
  cancel(callId: number, reason: Status): boolean {
    if (this.writeCancel(callId, reason)) return true;
    this.lateCancels.push({ id: callId, reason });
    return false;
  }

  /** Gives a block of the app's send heap back, with the next flush. */
  release(tag: number, offset: number): void {
    this.releases.push(tag, offset);
  }

  /** Writes what has waited, as far as there is room. */
  retry(): void {
    if (this.isHeld) return;
    while (this.lateReplies.length > 0 && this.writeStatus(this.lateReplies[0]!)) {
      this.lateReplies.shift();
    }
    while (this.lateCancels.length > 0) {
      const { id, reason } = this.lateCancels[0]!;
      if (!this.writeCancel(id, reason)) break;
      this.lateCancels.shift();
    }
  }

  /** Makes everything visible to the app and wakes it if it sleeps; false if releases found no room. */
  flush(): boolean {
    if (this.isHeld) return true;
    const allReleased = this.writeReleases();
    if (tracePoints !== null) tracePoints.note(TracePoint.PUBLISHED, 0);
    this.ring.publish();
    if (this.ring.takeSleeper()) {
      doorbellRing(this.bell);
      if (tracePoints !== null) tracePoints.note(TracePoint.RUNG, 0);
    }
    return allReleased;
  }

  /** Asks the app to ring once it has read some slots; false if there is room already. */
  waitForSpace(): boolean {
    return this.ring.waitForSpace();
  }

  private openReply(
    callerId: number,
    status: Status,
    origin: Origin,
    hold: boolean,
    trace: boolean,
  ): number {
    const at = this.ring.reserve();
    const { words } = this;
    const flags = (hold ? SlotFlag.HOLD : 0) | (trace ? SlotFlag.TRACE : 0);
    words[at + W_KIND] = SlotKind.REPLY | (flags << 8);
    words[at + W_CALL] = callerId;
    words[at + W_STATUS] = status | (origin << 8);
    this.onReplied(callerId);
    return at;
  }

  /** Names the block that `receive` has just filled. */
  private writeBlock(at: number, body: Body): void {
    const { words, receive } = this;
    words[at + W_BLOCK_TAG] = receive.heap.tag;
    words[at + W_BLOCK_OFFSET] = receive.heap.offset;
    words[at + W_INLINE_LENGTH] = receive.inlineLength;
    words[at + W_SEGMENT_COUNT] = body.segmentCount;
    words[at + W_SEGMENT_BYTES] = body.segmentBytes;
    words[at + W_METADATA_LENGTH] = body.metadataLength;
  }

  private writeStatus(reply: LateReply): boolean {
    const { callerId, status, origin, message, hold, trailers } = reply;
    if (this.isFull) return false;
    const { text, words } = this;
    text.setText(message.slice(0, statusMessageBytesMax), trailers);
    const placed = this.receive.putText(text);
    const at = this.openReply(callerId, status, origin, hold, false);
    if (!placed) {
      words[at + W_KIND] = words[at + W_KIND]! | (SlotFlag.NO_BLOCK << 8);
      text.clear();
    }
    words[at + W_MESSAGE_LENGTH] = text.messageLength;
    words[at + W_DETAILS_LENGTH] = 0;
    this.writeBlock(at, text);
    return true;
  }

  private writeCancel(callId: number, reason: Status): boolean {
    if (this.isHeld) return false;
    const at = this.ring.reserve();
    if (at < 0) return false;
    this.words[at + W_KIND] = SlotKind.CANCEL;
    this.words[at + W_CALL] = callId | 0;
    this.words[at + W_STATUS] = reason;
    return true;
  }

  private writeReleases(): boolean {
    const { releases, words } = this;
    let taken = 0;
    while (taken < releases.length) {
      const at = this.ring.reserve();
      if (at < 0) break;
      const count = Math.min(RELEASES_PER_SLOT, (releases.length - taken) / 2);
      words[at + W_KIND] = SlotKind.RELEASE | (count << 16);
      for (let i = 0; i < 2 * count; i++) words[at + 1 + i] = releases[taken + i]!;
      taken += 2 * count;
    }
    if (taken === releases.length) releases.length = 0;
    else releases.splice(0, taken);
    return releases.length === 0;
  }
}

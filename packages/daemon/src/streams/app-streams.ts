/**
 * Messages of streaming calls between an app and the daemon: MESSAGE and CREDIT slots, both ways. Part of
 * the app's frontend engine.
 */
import { Origin, Status } from "@koala/interface";
import {
  batchBytesMax,
  batchMessagesMax,
  SlotFlag,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_COST,
  W_COUNT,
  W_KIND,
} from "@koala/protocol";
import type { AppOutbox } from "../datapath/app-outbox.ts";
import type { AppPort } from "../datapath/app-port.ts";
import type { Body } from "../datapath/body.ts";
import { type Call, Outcome, Parked } from "../datapath/call.ts";
import type { CallAliases } from "../datapath/call-aliases.ts";
import type { CallerCalls } from "../datapath/caller-calls.ts";
import { ParkQueue } from "../datapath/park-queue.ts";
import type { ReceiveSpace } from "../datapath/receive-space.ts";
import type { Router } from "../datapath/router.ts";
import type { SendRegions } from "../datapath/send-regions.ts";
import { type Flow, flowOf } from "./flow.ts";

/** What an engine lends to its streams. */
export interface AppStreamsParts {
  readonly port: AppPort;
  readonly router: Router;
  readonly send: SendRegions;
  readonly receive: ReceiveSpace;
  readonly out: AppOutbox;
  readonly calls: CallerCalls;
  readonly aliases: CallAliases;
  /** The engine's record for the message at hand. */
  readonly body: Body;
  readonly messageBytesMax: number;
  /** The app has broken a rule. */
  violate(reason: string): void;
  /** The receive ring is full: the engine is to be woken once it is not. */
  awaitRing(): void;
  /** Something was written for the app. */
  markDirty(): void;
}

export class AppStreams {
  private readonly parts: AppStreamsParts;
  /** Flows whose next message waits for room with the app. */
  private readonly parked: ParkQueue<Flow>;
  /** Flows whose sender, the app, is yet to be told of credit. */
  private readonly lateCredits = new Set<Flow>();

  constructor(parts: AppStreamsParts) {
    this.parts = parts;
    this.parked = new ParkQueue((flow) => parts.router.streams.offer(flow));
  }

  /** Flows that wait for room. */
  get length(): number {
    return this.parked.length;
  }

  /** Something waits for room in the app's ring or heap. */
  get hasLate(): boolean {
    return this.parked.length > 0 || this.lateCredits.size > 0;
  }

  /** Flows that wait for room, in order. */
  waiting(): readonly Flow[] {
    return this.parked.waiting();
  }

  /** Room may have come. */
  drain(): void {
    for (const flow of this.lateCredits) {
      if (!flow.isCurrent) this.lateCredits.delete(flow);
      else if (!this.writeCredit(flow)) break;
      else this.lateCredits.delete(flow);
    }
    this.parked.drain();
  }

  // ── from the app ──────────────────────────────────────────────────────────────────────────────────

  /** A MESSAGE slot. */
  takeMessage(slot: Int32Array): void {
    const { body, send, router, messageBytesMax } = this.parts;
    const flags = (slot[W_KIND]! >>> 8) & 0xff;
    const fromCallee = (flags & SlotFlag.FROM_CALLEE) !== 0;
    const call = this.callOf(slot[W_CALL]!, fromCallee);
    if (call === null) {
      // It has ended meanwhile.
      this.release(slot);
      return;
    }
    const wrong = send.locate(slot, false, body);
    if (wrong !== "") {
      this.parts.violate(wrong);
      return;
    }
    body.count = slot[W_COUNT]!;
    body.cost = body.bodyBytes();
    body.streamFlags = flags & (SlotFlag.END | SlotFlag.HEADERS);
    const flow = flowOf(call, !fromCallee);
    const problem = messageProblem(flow, body) || blockProblem(body);
    if (problem !== "") {
      this.parts.violate(`${problem}, in call ${slot[W_CALL]! >>> 0}`);
      return;
    }
    charge(flow, body);
    if (body.cost > messageBytesMax) {
      const text = `a message of ${body.cost} bytes is larger than ${messageBytesMax}; raise message in [limits] of koala.toml`;
      const origin = fromCallee ? Origin.REMOTE_DAEMON : Origin.LOCAL_DAEMON;
      router.abort(call, Status.RESOURCE_EXHAUSTED, origin, text);
      this.release(slot);
      return;
    }
    const outcome = router.streams.send(flow, body);
    // Held ones are released when the link has sent them.
    if (outcome === Outcome.HELD) return;
    this.release(slot);
    if (outcome !== Outcome.DONE) router.streams.reject(flow, outcome);
  }

  /** A CREDIT slot. */
  takeCredit(slot: Int32Array): void {
    const fromCallee = (slot[W_KIND]! & (SlotFlag.FROM_CALLEE << 8)) !== 0;
    const call = this.callOf(slot[W_CALL]!, fromCallee);
    if (call === null) return;
    const flow = flowOf(call, fromCallee);
    if (flow.hasMessages && this.parts.router.streams.grant(flow, slot[W_COST]!)) return;
    this.parts.violate(`a credit of ${slot[W_COST]} bytes for call ${slot[W_CALL]! >>> 0}`);
  }

  // ── to the app ────────────────────────────────────────────────────────────────────────────────────

  /** See `Party.message`. */
  message(flow: Flow, body: Body): Outcome {
    const { out, receive, router } = this.parts;
    const { call } = flow;
    if (out.isFull) return this.park(flow);
    const hasBlock = body.inlineLength > 0 || body.metadataLength > 0;
    if (hasBlock) {
      const outcome = flow.toCallee
        ? receive.put(body, call.method!.input, call.requestTranscoder)
        : receive.put(body, call.replyCodec ?? call.method!.output, call.replyTranscoder);
      if (outcome === Outcome.PARK) {
        if (receive.couldHold(body.bodyBytes())) return this.park(flow);
        const text = `a message of ${body.bodyBytes()} bytes does not fit the receive heap of ${this.parts.port.label}; raise receive_heap in [limits] of its koala.toml`;
        const origin = flow.toCallee ? Origin.REMOTE_DAEMON : Origin.LOCAL_DAEMON;
        router.abort(call, Status.RESOURCE_EXHAUSTED, origin, text);
        return Outcome.DONE;
      }
      if (outcome !== Outcome.DONE) return outcome;
    }
    out.writeMessage(this.idOf(flow), !flow.toCallee, body, hasBlock);
    this.parts.markDirty();
    return Outcome.DONE;
  }

  /** See `Party.credit`. */
  credit(flow: Flow): void {
    if (this.lateCredits.has(flow)) return;
    if (!this.writeCredit(flow)) {
      this.lateCredits.add(flow);
      this.parts.awaitRing();
    }
    this.parts.markDirty();
  }

  /** See `Party.adoptFlow`. */
  adopt(flow: Flow): void {
    this.parked.push(flow);
  }

  private writeCredit(flow: Flow): boolean {
    const id = flow.toCallee ? flow.call.callerId : this.parts.port.engine.knownAs(flow.call);
    if (!this.parts.out.writeCredit(id, flow.toCallee, flow.grantDue)) return false;
    flow.grantDue = 0;
    return true;
  }

  /** As the app knows the call of a flow that it receives. */
  private idOf(flow: Flow): number {
    return flow.toCallee ? this.parts.port.engine.knownAs(flow.call) : flow.call.callerId;
  }

  private callOf(id: number, fromCallee: boolean): Call | null {
    const { aliases, calls, port, router } = this.parts;
    if (fromCallee) {
      const call = aliases.find(id >>> 0) ?? router.calls.get(id >>> 0);
      // One that waits for room has not got there yet, and may still go elsewhere.
      const isThere = call?.callee === port && call.parked !== Parked.REQUEST;
      return isThere ? call! : null;
    }
    const call = calls.at(id);
    if (call === null || !call.open || call.caller !== port || call.callerId !== id) return null;
    return call;
  }

  private park(flow: Flow): Outcome {
    this.parked.push(flow);
    this.parts.awaitRing();
    return Outcome.PARK;
  }

  private release(slot: Int32Array): void {
    if ((slot[W_KIND]! & (SlotFlag.NO_BLOCK << 8)) !== 0) return;
    this.parts.port.releaseBlock(slot[W_BLOCK_TAG]!, slot[W_BLOCK_OFFSET]!);
  }
}

/** What makes a message one that its sender must not send now; "" if nothing. */
export function messageProblem(flow: Flow, body: Body): string {
  const { count, inlineLength, segmentCount, streamFlags } = body;
  if (count < 0 || count > batchMessagesMax) return `a block of ${count} messages`;
  if (count > 0 !== inlineLength > 0) return `${count} messages of ${inlineLength} bytes`;
  if (count > 1 && segmentCount > 0) return "several messages with segments in one block";
  if (count === 0 && segmentCount > 0) return "segments without a message";
  if (body.hasTrace) return "a trace context with a message of a stream";
  if (flow.hasEnded) return "a message behind the last one";
  if (count > 0 && !flow.hasMessages) return "a message of a method that has none here";
  if (count > 0 && flow.credit <= 0) return "a message without credit";
  if ((streamFlags & SlotFlag.END) !== 0 && !flow.hasMessages) return "the end of no stream";
  if ((streamFlags & SlotFlag.HEADERS) === 0) {
    if (body.metadataLength > 0) return "metadata with a message of a stream";
    return count === 0 && streamFlags === 0 ? "neither a message nor an end" : "";
  }
  if (flow.toCallee || count > 0) return "headers with a message, or from a caller";
  return flow.hasHeaders || flow.hasBegun ? "headers behind messages or other headers" : "";
}

/**
 * What is wrong with the size of an app's block; "" if nothing. Blocks of peers may be larger: policies and
 * translations have made their messages longer.
 */
function blockProblem({ count, inlineLength }: Body): string {
  return count > 1 && inlineLength > batchBytesMax
    ? `a block of ${count} messages in ${inlineLength} bytes, at most ${batchBytesMax} are allowed; a larger message has a block of its own`
    : "";
}

/** The message is on its way: notes what it means for those that follow. */
export function charge(flow: Flow, body: Body): void {
  flow.credit -= body.cost;
  if ((body.streamFlags & SlotFlag.END) !== 0) flow.hasEnded = true;
  if ((body.streamFlags & SlotFlag.HEADERS) !== 0) flow.hasHeaders = true;
  if (body.count > 0) flow.hasBegun = true;
}

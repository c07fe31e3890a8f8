/**
 * The calls of one link, both directions: turns REQUEST, RESPONSE, CHUNK and CANCEL frames into calls of
 * the router, and the router's calls into frames.
 */
import { Origin, originFrom, Status, statusFrom } from "@koala/interface";
import {
  F_BINDING,
  F_COST,
  F_COUNT,
  F_KIND,
  F_STREAM,
  F_TIMEOUT,
  F_VALUE,
  FrameFlag,
  SlotFlag,
  streamCreditMax,
} from "@koala/protocol";
import type { Runtime } from "@koala/runtime";
import { type Heap, type Memory, openMemory } from "@koala/shm";
import type { Binding } from "../datapath/binding.ts";
import { Body } from "../datapath/body.ts";
import { loadBody, saveBody } from "../datapath/body-state.ts";
import {
  type Call,
  type CopyOwner,
  Outcome,
  Parked,
  type Party,
  type Receiver,
} from "../datapath/call.ts";
import type { Router } from "../datapath/router.ts";
import { charge, messageProblem } from "../streams/app-streams.ts";
import { flowOf, returnsStream, takesStream } from "../streams/flow.ts";
import { Assemblies, type Assembly, makeRoom } from "./assembly.ts";
import { AssemblyGrants } from "./assembly-grants.ts";
import { readMessageFrame } from "./frame-reader.ts";
import type { LinkInput } from "./link-input.ts";
import type { AssemblyState, InputState, LinkState } from "./link-state.ts";
import type { MessageWriter } from "./message-writer.ts";
import { SpareMemory } from "./spare-memory.ts";

const nothing: Memory = openMemory(new ArrayBuffer(8));
/** Open streams that a peer may have on one link. */
const streamsMax = 65536;

export interface LinkCallsOptions {
  runtime: Runtime;
  party: Party;
  router: Router;
  input: LinkInput;
  writer: MessageWriter;
  bindingOf: (id: number) => Binding | undefined;
  messageBytesMax: number;
  metadataBytesMax: number;
  /** Bytes of parked messages of this link, all together. */
  parkedBytesMax: number;
  streamWindow: number;
  /** Bytes of frames have been received for good: credit may be returned. */
  owe: (bytes: number) => void;
  /** Lets the far side send more body bytes of a stream's message. */
  grant: (stream: number, isReply: boolean, bytes: number) => void;
}

export class LinkCalls implements CopyOwner {
  /** Calls of the far side, by the stream it gave them. */
  readonly streams: Map<number, Call> = new Map();
  parkedBytes = 0;
  private readonly options: LinkCallsOptions;
  private readonly assemblies = new Assemblies();
  private readonly grants: AssemblyGrants;
  private readonly spare: SpareMemory;
  /** What is counted in `parkedBytes`, by call. */
  private readonly kept = new Map<Call, number>();
  private readonly body = new Body();
  /** The one whose chunk is coming in right now. */
  private current: Assembly | null = null;

  constructor(options: LinkCallsOptions) {
    this.options = options;
    this.grants = new AssemblyGrants(2 * options.parkedBytesMax, (next) => this.grantRest(next));
    this.spare = new SpareMemory(options.runtime, 2 * options.parkedBytesMax);
  }

  /** A REQUEST frame. Returns what is wrong with it, "" if nothing. */
  takeRequest(at: number, length: number): string {
    const { router, party, input, bindingOf } = this.options;
    const { body } = this;
    const words = input.memory.i32;
    const w = at >> 2;
    const wrong = readMessageFrame(input.memory, at, false, this.options.metadataBytesMax, body);
    if (wrong !== "") return wrong;
    const stream = words[w + F_STREAM]!;
    const binding = bindingOf(words[w + F_BINDING]!);
    const method = binding?.schema.methods[words[w + F_KIND]! >>> 16];
    if (binding === undefined || method === undefined) {
      return `a request for binding ${words[w + F_BINDING]}, method ${words[w + F_KIND]! >>> 16}: no such thing`;
    }
    const isWhole = takesStream(method.kind) ? body.bodyBytes() === 0 : body.inlineLength > 0;
    if (!isWhole) {
      return "a request without a message, or with one too many";
    }
    if (this.streams.has(stream)) return `a request for stream ${stream}, which is open`;
    if (this.streams.size >= streamsMax) return `more than ${streamsMax} open streams`;
    const call = router.calls.openCall();
    if (call === undefined) return "more calls than this daemon can hold";
    call.caller = party;
    call.callerId = stream;
    call.binding = binding;
    call.method = method;
    this.streams.set(stream, call);
    router.streams.open(call);
    router.setDeadline(call, words[w + F_TIMEOUT]! >>> 0);
    router.policies.begin(call);
    router.observer.begin(call, body);
    if (body.bodyBytes() > this.options.messageBytesMax) {
      const text = `a message of ${body.bodyBytes()} bytes is larger than ${this.options.messageBytesMax}; raise message in [limits] of koala.toml on the server's host`;
      router.fail(call, Status.RESOURCE_EXHAUSTED, Origin.REMOTE_DAEMON, text);
      this.options.owe(length);
      return "";
    }
    if (isComplete(at, length, body)) return this.passRequest(call, body, length);
    this.options.owe(length);
    this.assembleRequest(call, stream);
    return "";
  }

  /** A RESPONSE frame. */
  takeResponse(at: number, length: number): string {
    const { router, party, input } = this.options;
    const { body } = this;
    const words = input.memory.i32;
    const w = at >> 2;
    const wrong = readMessageFrame(input.memory, at, true, this.options.metadataBytesMax, body);
    if (wrong !== "") return wrong;
    const call = router.calls.get(words[w + F_STREAM]! >>> 0);
    if (call === undefined || call.callee !== party || call.parked !== Parked.NO) {
      // It was cancelled, or its deadline has passed, while the reply was on its way.
      this.options.owe(length);
      return "";
    }
    if (this.assemblies.get(call.id | 0, true)?.isMessage === false) {
      return `a reply of stream ${words[w + F_STREAM]}, whose reply is coming in`;
    }
    const value = words[w + F_KIND]! >>> 16;
    call.status = statusFrom(value & 0xff);
    call.origin = originFrom(value >>> 8);
    const isBare = returnsStream(call.method!.kind);
    if (isBare ? body.bodyBytes() > 0 : call.status === Status.OK && body.inlineLength === 0)
      return "a reply without a message, or with one too many";
    // The far side has given up the message that was coming in.
    if (call.stream !== null) this.dropAssembly(call.id | 0, true);
    if (this.options.writer.largeCount > 0) this.options.writer.stop(call.id | 0, false);
    if (body.bodyBytes() > this.options.messageBytesMax) {
      const text = `a reply of ${body.bodyBytes()} bytes is larger than ${this.options.messageBytesMax}; raise message in [limits] of koala.toml`;
      router.fail(call, Status.RESOURCE_EXHAUSTED, Origin.LOCAL_DAEMON, text);
      this.options.owe(length);
      return "";
    }
    if (isComplete(at, length, body)) return this.passReply(call, body, length);
    this.options.owe(length);
    this.assembleReply(call);
    return "";
  }

  /** A STREAM_MESSAGE frame. */
  takeMessage(at: number, length: number): string {
    const { input, messageBytesMax, metadataBytesMax, owe, router } = this.options;
    const { body } = this;
    const words = input.memory.i32;
    const w = at >> 2;
    const wrong = readMessageFrame(input.memory, at, false, metadataBytesMax, body);
    if (wrong !== "") return wrong;
    const stream = words[w + F_STREAM]!;
    const flags = (words[w + F_KIND]! >>> 8) & 0xff;
    const isReply = (flags & FrameFlag.FROM_CALLEE) !== 0;
    const call = this.callOf(stream, isReply);
    if (call === undefined) {
      // It has ended meanwhile; chunks that follow belong to no assembly.
      owe(length);
      return "";
    }
    body.count = words[w + F_COUNT]!;
    body.cost = words[w + F_COST]!;
    body.streamFlags =
      ((flags & FrameFlag.END) === 0 ? 0 : SlotFlag.END) |
      ((flags & FrameFlag.HEADERS) === 0 ? 0 : SlotFlag.HEADERS);
    const flow = flowOf(call, !isReply);
    const problem =
      body.cost < 0 || body.cost > streamCreditMax || body.count > 0 !== body.cost > 0
        ? `${body.count} messages that cost ${body.cost} bytes`
        : messageProblem(flow, body);
    if (problem !== "") return problem;
    if (this.assemblies.get(stream, isReply) !== undefined) return "a message within a message";
    charge(flow, body);
    if (body.bodyBytes() > messageBytesMax) {
      const text = `a message of ${body.bodyBytes()} bytes is larger than ${messageBytesMax}; raise message in [limits] of koala.toml`;
      const origin = isReply ? Origin.LOCAL_DAEMON : Origin.REMOTE_DAEMON;
      router.abort(call, Status.RESOURCE_EXHAUSTED, origin, text);
      owe(length);
      return "";
    }
    owe(length);
    if (isComplete(at, length, body)) return this.passMessage(call, !isReply, body);
    this.assemble(call, stream, isReply, true, undefined);
    return "";
  }

  /** A STREAM_CREDIT frame. */
  takeStreamCredit(stream: number, bytes: number, kind: number): string {
    const byCallee = (kind & (FrameFlag.FROM_CALLEE << 8)) !== 0;
    const call = this.callOf(stream, byCallee);
    if (call === undefined) return "";
    const flow = flowOf(call, byCallee);
    if (flow.hasMessages && this.options.router.streams.grant(flow, bytes)) return "";
    return `a credit of ${bytes} bytes for stream ${stream}`;
  }

  /** The call that the far side means: one that it serves, or one that it has made. */
  private callOf(stream: number, isServed: boolean): Call | undefined {
    if (!isServed) return this.streams.get(stream);
    const call = this.options.router.calls.get(stream >>> 0);
    const isThere = call?.callee === this.options.party && call.parked !== Parked.REQUEST;
    return isThere ? call : undefined;
  }

  private passMessage(call: Call, toCallee: boolean, body: Body): string {
    const { streams } = this.options.router;
    const flow = flowOf(call, toCallee);
    const outcome = streams.send(flow, body);
    if (outcome === Outcome.UNTRANSLATABLE) streams.reject(flow, outcome);
    return outcome === Outcome.INVALID ? streams.invalidReason : "";
  }

  /** A CHUNK frame, of which at least the header is there. */
  takeChunk(at: number, length: number): string {
    const { input } = this.options;
    const words = input.memory.i32;
    const w = at >> 2;
    const isReply = (words[w + F_KIND]! & (FrameFlag.FROM_CALLEE << 8)) !== 0;
    const bytes = length - 16;
    const assembly = this.assemblies.get(words[w + F_STREAM]!, isReply);
    if (assembly === undefined) {
      input.divert(null, 0, () => this.options.owe(length));
      return "";
    }
    if (words[w + F_VALUE] !== assembly.received || assembly.received + bytes > assembly.total) {
      return `a chunk of ${bytes} bytes at ${words[w + F_VALUE]} of stream ${assembly.stream}, which has ${assembly.received} of ${assembly.total}`;
    }
    const { body } = assembly;
    if (assembly.isPrivate) makeRoom(assembly, assembly.received + bytes, this.spare);
    const offset = body.offset + assembly.received;
    assembly.received += bytes;
    this.current = assembly;
    input.divert(body.memory, offset, () => this.chunkTaken(assembly, length));
    return "";
  }

  /** A CANCEL frame. */
  takeCancel(stream: number, reason: Status): void {
    if (this.options.writer.largeCount > 0) this.options.writer.stop(stream, true);
    const call = this.streams.get(stream);
    if (call === undefined) return;
    this.forget(call);
    this.options.router.abandon(call, reason);
  }

  /** The caller of a stream over there has got its reply, or needs none. */
  forget(call: Call): void {
    this.streams.delete(call.callerId);
    this.dropAssembly(call.callerId, false);
  }

  /** Nobody waits for the reply to a call that was made over this link. */
  dropAssembly(stream: number, isReply: boolean): void {
    const assembly = this.assemblies.get(stream, isReply);
    if (assembly === undefined) return;
    // Chunks of it that still come belong to no assembly, and are dropped.
    this.assemblies.remove(assembly);
    assembly.dropped = true;
    if (this.current === assembly) this.options.input.dropTarget();
    assembly.body.discard();
    this.grants.done(assembly);
  }

  /** Offers a parked message again; see `Party.retry`. */
  retry(call: Call): boolean {
    const { router } = this.options;
    const { copy } = call;
    if (copy === null) {
      // Its message is still coming in; it can go elsewhere unless it was meant for that app's heap.
      if (this.assemblies.get(call.callerId, false)?.isPrivate === true) return false;
      const text = "the server went away while the request was on its way";
      router.fail(call, Status.UNAVAILABLE, Origin.REMOTE_APP, text);
      return true;
    }
    if (call.parked === Parked.REQUEST) {
      const outcome = router.dispatch(call, copy);
      if (outcome === Outcome.PARK) return false;
      if (outcome === Outcome.UNTRANSLATABLE) {
        router.failUntranslatable(call, "request");
      } else if (outcome === Outcome.INVALID) {
        this.failMalformed(call, call.callee);
      } else if (call.open) {
        call.parked = Parked.NO;
        this.dropCopy(call);
      }
      return true;
    }
    const outcome = router.deliver(call, call.status, call.origin, copy);
    if (outcome === Outcome.PARK) return false;
    if (outcome === Outcome.UNTRANSLATABLE) router.failUntranslatable(call, "reply");
    else if (outcome === Outcome.INVALID) this.failMalformed(call, call.caller);
    else router.end(call);
    return true;
  }

  dropCopy(call: Call): void {
    this.parkedBytes -= this.kept.get(call) ?? 0;
    this.kept.delete(call);
    this.options.owe(call.copyBytes);
    call.copy?.discard();
    call.copy = null;
    call.copyOwner = null;
    call.copyBytes = 0;
  }

  /** What is coming in, and for whom. */
  save(): Pick<LinkState, "input" | "streams" | "assemblies"> {
    return {
      input: this.saveInput(),
      streams: [...this.streams].map(([stream, call]) => [stream, call.id]),
      assemblies: this.assemblies.all().map((assembly) => this.saveAssembly(assembly)),
    };
  }

  /** Goes on with what `save` gave; the calls are there. */
  load(state: Pick<LinkState, "input" | "streams" | "assemblies">): void {
    const { calls } = this.options.router;
    for (const [stream, id] of state.streams) {
      const call = calls.get(id);
      if (call !== undefined) this.streams.set(stream, call);
    }
    for (const call of calls.filter(({ copyOwner }) => copyOwner === this)) {
      this.count(call, call.copy!, call.copyBytes);
    }
    for (const saved of state.assemblies) this.loadAssembly(saved);
    const { bytes, diverted, stream, isReply, owe } = state.input;
    const { input } = this.options;
    input.load(bytes);
    if (diverted === 0) return;
    const assembly = stream === null ? undefined : this.assemblies.get(stream, isReply);
    if (assembly === undefined) {
      input.resume(null, 0, diverted, owe, () => this.options.owe(owe));
      return;
    }
    this.current = assembly;
    const offset = assembly.received - diverted;
    const { memory } = assembly.body;
    input.resume(memory, offset, diverted, owe, () => this.chunkTaken(assembly, owe));
  }

  private saveInput(): InputState {
    const { current } = this;
    const { input } = this.options;
    const diverted = input.divertedBytes;
    const bytes = input.save();
    if (diverted === 0) return { bytes, diverted, stream: null, isReply: false, owe: 0 };
    const owe = input.frameLength;
    if (current === null || current.dropped) {
      return { bytes, diverted, stream: null, isReply: false, owe };
    }
    return { bytes, diverted, stream: current.stream, isReply: current.isReply, owe };
  }

  private saveAssembly(assembly: Assembly): AssemblyState {
    const { callId, stream, isReply, isMessage, total, received, granted, body } = assembly;
    const missing = assembly === this.current ? this.options.input.divertedBytes : 0;
    const saved = saveBody(body, received - missing);
    return { callId, stream, isReply, isMessage, total, received, granted, body: saved };
  }

  private loadAssembly(saved: AssemblyState): void {
    const { callId, stream, isReply, isMessage, total, received, granted } = saved;
    const call = this.options.router.calls.get(callId);
    // Chunks of an assembly that is not there are dropped.
    if (call === undefined) return;
    const body = loadBody(saved.body);
    const head = { call, callId, stream, isReply, isMessage, body, total, received, granted };
    const reserved = Math.min(total, this.options.streamWindow);
    const assembly = { ...head, isPrivate: true, reserved, dropped: false };
    this.grants.load(assembly);
    makeRoom(assembly, received, this.spare);
    this.assemblies.add(assembly);
  }

  /** A receive heap is about to be closed: what is coming in to it goes on in private memory. */
  evacuate(heap: Heap): void {
    for (const assembly of this.assemblies.all()) {
      const { body, received } = assembly;
      if (body.placedIn !== heap) continue;
      const { memory, offset, tail, traceOffset } = body;
      const own = openMemory(new ArrayBuffer(Math.max(8, received)));
      memory.node.copy(own.node, 0, offset, offset + received);
      body.discard();
      body.place(own, 0);
      body.placeTail(tail, traceOffset);
      assembly.isPrivate = true;
      if (this.current === assembly) this.options.input.moveTarget(own, offset);
    }
  }

  /** The link is down: nothing that is being received will be complete. */
  close(): void {
    for (const assembly of this.assemblies.all()) {
      assembly.body.discard();
      this.assemblies.remove(assembly);
    }
    this.spare.close();
  }

  /** A message that was parked turned out to be malformed: the link ends at its next turn. */
  private failMalformed(call: Call, finder: Party | null): void {
    const reason = finder?.invalidReason ?? "a malformed message";
    this.options.input.malformed = reason;
    this.options.router.fail(call, Status.INTERNAL, Origin.LINK, `the peer sent ${reason}`);
  }

  private passRequest(call: Call, body: Body, cost: number): string {
    const { router } = this.options;
    const outcome = router.dispatch(call, body);
    if (outcome === Outcome.INVALID) return call.callee?.invalidReason ?? "a malformed message";
    if (outcome === Outcome.PARK) this.keep(call, Parked.REQUEST, body, cost);
    else this.options.owe(cost);
    if (outcome === Outcome.UNTRANSLATABLE) router.failUntranslatable(call, "request");
    return "";
  }

  private passReply(call: Call, body: Body, cost: number): string {
    const { router } = this.options;
    const { caller } = call;
    const outcome = router.deliver(call, call.status, call.origin, body);
    if (outcome === Outcome.INVALID) return caller?.invalidReason ?? "a malformed message";
    if (outcome === Outcome.PARK) {
      this.keep(call, Parked.REPLY, body, cost);
      return "";
    }
    this.options.owe(cost);
    if (outcome === Outcome.UNTRANSLATABLE) router.failUntranslatable(call, "reply");
    else router.end(call);
    return "";
  }

  /** Keeps a message that found no room, unless this link's messages wait for too much already. */
  private keep(call: Call, parked: Parked, body: Body, cost: number): void {
    const { router, parkedBytesMax } = this.options;
    if (this.parkedBytes + keptBytes(body, cost) > parkedBytesMax) {
      this.options.owe(cost);
      body.discard();
      const text = "the receiving app does not keep up: its heap or its ring is full";
      router.fail(call, Status.RESOURCE_EXHAUSTED, Origin.REMOTE_DAEMON, text);
      return;
    }
    call.parked = parked;
    // What policies have read or changed is kept already.
    call.copy ??= body === this.body ? body.privateCopy() : body;
    call.copyOwner = this;
    call.copyBytes = cost;
    this.count(call, body, cost);
  }

  private assembleRequest(call: Call, stream: number): void {
    const { router } = this.options;
    // Policies look at the message before anybody is chosen to serve it.
    const selected = call.live?.chain == null ? router.select(call) : Outcome.PARK;
    if (!call.open) return;
    const { callee } = call;
    // While its message comes in, the callee knows nothing of the call.
    call.parked = Parked.REQUEST;
    const direct = selected === Outcome.DONE && call.requestTranscoder === null;
    this.assemble(call, stream, false, false, direct ? callee?.receive : undefined);
  }

  private assembleReply(call: Call): void {
    const { caller } = call;
    const direct = call.replyTranscoder === null;
    this.assemble(call, call.id | 0, true, false, direct ? caller?.receive : undefined);
  }

  private assemble(
    call: Call,
    stream: number,
    isReply: boolean,
    isMessage: boolean,
    receiver: Receiver | undefined,
  ): void {
    const { body: frame } = this;
    const total = frame.bodyBytes();
    const body = new Body();
    body.copyFrom(frame);
    const tail = openMemory(new ArrayBuffer(Math.max(8, frame.tailBytes())));
    frame.copyTail(tail, 0);
    const placed = receiver?.reserve(total + frame.tailBytes()) === true;
    if (placed) {
      const { heap } = receiver!;
      body.place(heap.memory, heap.offset);
      body.placedIn = heap;
      body.placedTag = heap.tag;
    } else {
      // Memory comes with the bytes: announcing a large message must not cost more than sending it.
      body.place(nothing, 0);
    }
    body.placeTail(tail, 0);
    const assembly: Assembly = {
      call,
      callId: call.id,
      stream,
      isReply,
      isMessage,
      body,
      total,
      received: 0,
      isPrivate: !placed,
      granted: "apart",
      reserved: 0,
      dropped: false,
    };
    const { streamWindow } = this.options;
    if (!placed && !this.grants.begin(assembly, Math.min(total, streamWindow))) {
      // Its chunks belong to nobody, and are dropped.
      const text =
        "too many large messages have begun and not ended; raise link_window in [limits]";
      const origin = isReply ? Origin.LOCAL_DAEMON : Origin.REMOTE_DAEMON;
      const { router } = this.options;
      // With a message of a stream, the other side is at work already.
      if (isMessage) router.abort(call, Status.RESOURCE_EXHAUSTED, origin, text);
      else router.fail(call, Status.RESOURCE_EXHAUSTED, origin, text);
      return;
    }
    this.assemblies.add(assembly);
    if (total <= streamWindow) return;
    if (placed) this.grantRest(assembly);
    else this.grants.request(assembly);
  }

  /** The message has its place: what exceeds the window that the sender had from the start may come. */
  private grantRest({ stream, isReply, total }: Assembly): void {
    const { streamWindow, grant } = this.options;
    grant(stream, isReply, total - streamWindow);
  }

  /** A kept message counts until `dropCopy`. */
  private count(call: Call, body: Body, cost: number): void {
    const bytes = keptBytes(body, cost);
    this.kept.set(call, bytes);
    this.parkedBytes += bytes;
  }

  private chunkTaken(assembly: Assembly, length: number): void {
    this.current = null;
    this.options.owe(length);
    if (assembly.dropped || assembly.received < assembly.total) return;
    this.assemblies.remove(assembly);
    this.grants.done(assembly);
    const { call, body } = assembly;
    if (!call.open || call.id !== assembly.callId) {
      body.discard();
      return;
    }
    if (!assembly.isReply && !assembly.isMessage) call.parked = Parked.NO;
    const { memory } = body;
    const wrong = assembly.isMessage
      ? this.passMessage(call, !assembly.isReply, body)
      : assembly.isReply
        ? this.passReply(call, body, 0)
        : this.passRequest(call, body, 0);
    // Whoever keeps a message makes a copy, but for what is parked here.
    if (assembly.isPrivate && call.copy !== body) this.spare.give(memory);
    if (wrong !== "") this.options.input.malformed = wrong;
  }
}

/** What a kept message counts for: its credit, or its memory if that was returned. A placed one has its block. */
function keptBytes(body: Body, cost: number): number {
  return cost > 0 || body.placedIn !== null ? cost : body.bodyBytes();
}

/** Whether the frame carries the whole message; else it follows in chunks. */
function isComplete(at: number, length: number, body: Body): boolean {
  return body.offset + body.bodyBytes() === at + length || body.bodyBytes() === 0;
}

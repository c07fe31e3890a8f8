/**
 * The adapter engine of one link to another daemon (or to another runtime of this one): the handshake,
 * the services of the far side, and the calls in both directions.
 *
 * The far side is another daemon, which is trusted more than an app but not blindly: a frame that makes
 * no sense closes the link with a reason.
 */
import {
  type Connection,
  type Engine,
  type Origin,
  Origin as Origins,
  Status,
  statusFrom,
} from "@koala/interface";
import { errnoName } from "@koala/native";
import {
  F_KIND,
  F_STREAM,
  F_VALUE,
  FrameFlag,
  FrameType,
  frameTypeName,
  type Goaway,
  type Hello,
  hasLongHeader,
  type ServiceOffer,
  type Services,
} from "@koala/protocol";
import { type Heap, without } from "@koala/shm";
import type { Binding, LinkBindingState, RouteLink } from "../datapath/binding.ts";
import type { Body } from "../datapath/body.ts";
import { type Call, Outcome } from "../datapath/call.ts";
import { ParkQueue } from "../datapath/park-queue.ts";
import type { Flow } from "../streams/flow.ts";
import { helloProblem, readColdFrame } from "./cold-frame.ts";
import { FrameSender } from "./frame-sender.ts";
import { returnBlock } from "./held-block.ts";
import { helloOf, isShortHello } from "./hello.ts";
import { Keepalive } from "./keepalive.ts";
import { LateReplies } from "./late-replies.ts";
import { LinkBacklog } from "./link-backlog.ts";
import { LinkBindings } from "./link-bindings.ts";
import { LinkCalls } from "./link-calls.ts";
import { LinkCredit } from "./link-credit.ts";
import { LinkInput } from "./link-input.ts";
import type { LinkOptions } from "./link-options.ts";
import { LinkOutput } from "./link-output.ts";
import { LinkSaving } from "./link-saving.ts";
import { LinkStreams } from "./link-streams.ts";
import { type FrameHead, MessageWriter } from "./message-writer.ts";
import { ServiceList } from "./service-list.ts";
import { ServiceTeller } from "./service-teller.ts";

export class Link implements Engine, RouteLink {
  readonly name: string;
  readonly connection: Connection;
  label: string;
  readonly sibling: boolean;
  readonly isApp = false;
  invalidReason = "";
  /** What the far side said of itself; null until its HELLO. */
  peer: Hello | null = null;
  draining = false;
  bytesIn = 0;
  bytesOut = 0;
  framesIn = 0;
  readonly calls: LinkCalls;
  readonly bindings: LinkBindings;
  /** Takes it down to plain data, and makes it go on from there. */
  readonly state: LinkSaving;
  readonly options: LinkOptions;
  private readonly input = new LinkInput();
  private readonly output = new LinkOutput();
  private readonly frames: FrameSender;
  private readonly writer: MessageWriter;
  private readonly parked: ParkQueue<Call>;
  private readonly streams: LinkStreams;
  private readonly head: FrameHead = {
    type: 0,
    flags: 0,
    value16: 0,
    stream: 0,
    fromCallee: false,
    binding: 0,
    timeoutMs: 0,
  };
  private readonly offered = new ServiceList();
  private readonly teller: ServiceTeller;
  private readonly lateReplies: LateReplies;
  private readonly backlog: LinkBacklog;
  private readonly window: LinkCredit;
  private readable = true;
  private ending = false;
  private readonly keepalive: Keepalive;
  private down = false;

  constructor(options: LinkOptions) {
    this.options = options;
    this.connection = options.connection;
    this.sibling = options.siblingLabel !== undefined;
    this.label = options.siblingLabel ?? options.connection.remote;
    this.name = `link ${this.label}`;
    const { router, limits } = options;
    this.window = new LinkCredit(limits.linkWindow);
    this.parked = new ParkQueue((call) => router.offerAgain(call));
    this.frames = new FrameSender(this.output, () => options.runtime.markDirty(this));
    this.writer = new MessageWriter(this.output, (held) => returnBlock(router.calls, held));
    const { writer, frames } = this;
    this.teller = new ServiceTeller({
      runtime: options.runtime,
      frames,
      offers: options.offers,
      isSibling: this.sibling,
      features: () => this.peer?.features ?? null,
    });
    this.lateReplies = new LateReplies(writer, () => this.peer!.metadataBytes);
    this.streams = new LinkStreams({ router, writer, frames, translator: options.translator });
    const { output, lateReplies, streams, parked } = this;
    this.backlog = new LinkBacklog({ output, frames, lateReplies, streams, parked, writer });
    this.bindings = new LinkBindings({
      link: this,
      sender: this.frames,
      router,
      schemas: options.schemas,
      schemaBytesMax: limits.schemaBytes,
      reach: options.reach,
      hostName: () => (this.sibling ? undefined : (this.peer?.name ?? "")),
    });
    this.calls = new LinkCalls({
      runtime: options.runtime,
      party: this,
      router,
      input: this.input,
      writer: this.writer,
      bindingOf: (id) => this.bindings.theirBinding(id),
      messageBytesMax: limits.messageBytes,
      metadataBytesMax: limits.metadataBytes,
      parkedBytesMax: limits.linkWindow / 2,
      streamWindow: limits.streamWindow,
      owe: (bytes) => this.owe(bytes),
      grant: (stream, isReply, bytes) => this.frames.grant(stream, isReply, bytes),
    });
    this.keepalive = new Keepalive({
      runtime: options.runtime,
      intervalMs: limits.keepaliveMs,
      isKnown: () => this.peer !== null,
      ping: () => this.frames.sendShort(FrameType.PING, 0, 0, 0, 0),
      lost: (reason) => this.close(reason),
    });
    // Threads of one process do not get lost on the way: they end together, or report their end.
    if (!this.sibling && options.saved === undefined) this.keepalive.start();
    this.state = new LinkSaving({
      link: this,
      router,
      input: this.input,
      output: this.output,
      frames: this.frames,
      writer: this.writer,
      parked: this.parked,
      credit: this.window,
      lateReplies: this.lateReplies.waiting,
      offered: this.offered,
    });
    if (options.saved === undefined) frames.sendJson(FrameType.HELLO, 0, helloOf(options));
    else this.state.load(options.saved);
  }

  /** Calls that wait for room in the output or for credit. */
  get parkedCount(): number {
    return this.parked.length + this.streams.length;
  }

  /** The connection's descriptor is ready; `ended`: the far side has closed, or there is an error. */
  onReady(readable: boolean, ended: boolean): void {
    if (readable || ended) this.readable = true;
    if (ended) this.ending = true;
    this.options.runtime.markDirty(this);
    if (this.readable) this.options.runtime.activate(this);
  }

  // ── Engine ────────────────────────────────────────────────────────────────────────────────────────

  poll(budget: number): number {
    let done = 0;
    while (done < budget && !this.down) {
      const at = this.input.next();
      if (at >= 0) {
        done++;
        this.framesIn++;
        this.takeFrame(at);
        if (without.batching) this.options.runtime.flushAll();
        continue;
      }
      if (this.frames.isFlooded) this.input.malformed = "frames without end, and reads no answer";
      if (this.input.malformed !== "") {
        this.close(`it sent ${this.input.malformed}`);
        break;
      }
      if (!this.readable) break;
      const bytes = this.input.receive(this.connection);
      if (bytes < 0) {
        this.close(`the connection is gone (${errnoName(bytes)})`);
        break;
      }
      this.bytesIn += bytes;
      if (bytes > 0) this.keepalive.quietIntervals = 0;
      // A socket wakes us up for whatever comes after a short read, memory only once it was found empty.
      if (bytes === 0 || (this.input.drained && !this.ending && !this.sibling)) {
        this.readable = false;
      }
    }
    return done;
  }

  flush(): void {
    if (this.down) return;
    if (this.writer.largeCount > 0) this.writer.pump();
    this.returnCredit();
    const before = this.output.queuedBytes;
    if (before > 0 && !this.send(before)) return;
    if (this.output.queuedBytes === 0 && !this.backlog.isEmpty && this.backlog.send()) {
      this.options.runtime.markDirty(this);
    }
    this.teller.tell();
  }

  sleep(): boolean {
    return this.down || !this.readable;
  }

  hasWork(): boolean {
    return this.readable;
  }

  // ── RouteLink ─────────────────────────────────────────────────────────────────────────────────────

  get isLocal(): boolean {
    return this.sibling;
  }

  offers(target: string, service: string): "no" | "name" | "service" {
    return this.draining ? "no" : this.offered.find(target, service);
  }

  bindingState(binding: Binding): LinkBindingState {
    return this.bindings.stateOf(binding);
  }

  instances(target: string, service: string): number {
    return this.offered.instances(target, service);
  }

  names(): string[] {
    return this.offered.allNames();
  }

  evacuate(heap: Heap): void {
    this.calls.evacuate(heap);
  }

  /** What the far side offers, for status. */
  services(): readonly ServiceOffer[] {
    return this.offered.offers;
  }

  /** This daemon's services have changed: the far side is told. */
  announce(): void {
    this.teller.note();
    if (this.sibling) this.teller.tell();
    else this.options.runtime.markDirty(this);
  }

  // ── Party ─────────────────────────────────────────────────────────────────────────────────────────

  begin(call: Call, body: Body): Outcome {
    const { head } = this;
    head.type = FrameType.REQUEST;
    head.value16 = call.calleeMethod;
    head.stream = call.id | 0;
    head.fromCallee = false;
    head.binding = call.calleeTarget;
    head.timeoutMs = this.options.router.timeLeftMs(call);
    if (body.metadataLength > this.peer!.metadataBytes) {
      this.options.router.fail(
        call,
        Status.RESOURCE_EXHAUSTED,
        Origins.LINK,
        this.metadataProblem(body),
      );
      return Outcome.DONE;
    }
    const outcome = this.write(call, body, call.method!.input);
    if (outcome === Outcome.HELD) call.holdsRequest = true;
    return outcome === Outcome.HELD ? Outcome.DONE : outcome;
  }

  cancel(call: Call, reason: Status): void {
    this.writer.stop(call.id | 0, false);
    this.calls.dropAssembly(call.id | 0, true);
    this.frames.sendShort(FrameType.CANCEL, call.id | 0, 0, reason, 0);
    this.options.router.end(call);
  }

  finish(call: Call, status: Status, origin: Origin, body: Body): Outcome {
    const { head } = this;
    if (call.stream !== null && this.writer.isSending(call.callerId, true)) {
      this.parked.push(call);
      return Outcome.PARK;
    }
    let codec = call.replyCodec!;
    let reply = body;
    if (call.replyTranscoder !== null && body.inlineLength > 0) {
      const { translator } = this.options;
      const translated = translator.translate(body, codec, call.replyTranscoder);
      if (translated === undefined) {
        this.invalidReason = translator.invalidReason;
        return this.invalidReason === "" ? Outcome.UNTRANSLATABLE : Outcome.INVALID;
      }
      reply = translated;
      codec = call.method!.output;
    }
    head.type = FrameType.RESPONSE;
    head.value16 = status | (this.seen(origin) << 8);
    head.stream = call.callerId;
    head.fromCallee = true;
    if (body.metadataLength > this.peer!.metadataBytes) {
      const text = this.metadataProblem(body);
      this.finishWith(call, Status.RESOURCE_EXHAUSTED, Origins.LINK, text, null);
      return Outcome.DONE;
    }
    const outcome = this.write(call, reply, codec);
    if (outcome === Outcome.DONE || outcome === Outcome.HELD) this.calls.forget(call);
    return outcome;
  }

  finishWith(
    call: Call,
    status: Status,
    origin: Origin,
    message: string,
    trailers: Uint8Array | null,
  ): void {
    if (call.stream !== null) this.writer.stop(call.callerId, true);
    this.calls.forget(call);
    const value16 = status | (this.seen(origin) << 8);
    const late = { stream: call.callerId, value16, message, trailers };
    if (this.lateReplies.send(late)) this.options.runtime.markDirty(this);
  }

  parkedRequest(call: Call): Body | null {
    return call.copy;
  }

  retry(call: Call): boolean {
    return this.calls.retry(call);
  }

  dropReply(_call: Call): void {
    // The copy goes when the call does.
  }

  message(flow: Flow, body: Body): Outcome {
    const outcome = this.streams.message(flow, body);
    if (outcome === Outcome.INVALID) this.invalidReason = this.streams.invalidReason;
    else if (outcome !== Outcome.PARK) this.options.runtime.markDirty(this);
    return outcome;
  }

  isSending(flow: Flow): boolean {
    return this.streams.isSending(flow);
  }

  credit(flow: Flow): void {
    this.streams.credit(flow);
  }

  adoptFlow(flow: Flow): void {
    this.streams.adopt(flow);
  }

  blame(reason: string): void {
    this.input.malformed = reason;
    this.options.runtime.activate(this);
  }

  /** Asks the far side for no new calls. */
  sendGoaway(code: string, reason: string): void {
    const goaway: Goaway = { code, reason: reason.slice(0, 1000) };
    this.frames.sendJson(FrameType.GOAWAY, 0, goaway);
  }

  /** Ends the link and every call on it. */
  close(reason: string): void {
    if (this.down) return;
    this.down = true;
    const { runtime, router } = this.options;
    this.keepalive.stop();
    this.teller.stop();
    runtime.remove(this);
    router.removeLink(this);
    const origin = this.sibling ? Origins.LOCAL_DAEMON : Origins.LINK;
    router.partyGone(this, Status.UNAVAILABLE, origin, `${this.label}: ${reason}`);
    this.writer.abandon();
    this.output.abandon();
    this.calls.close();
    this.bindings.close();
    this.options.onDown(this, reason);
  }

  /** Another link goes on with the connection: lets go of what did not go along, and tells nobody. */
  retire(): void {
    this.down = true;
    this.keepalive.stop();
    this.teller.stop();
    this.options.runtime.remove(this);
    this.writer.abandon();
    this.output.abandon();
    this.calls.close();
    this.bindings.close();
  }

  /** Everything is there that it has to do with. */
  resume(): void {
    const { runtime } = this.options;
    if (!this.sibling) this.keepalive.start();
    this.readable = true;
    // The link before may have had something to tell.
    this.teller.note();
    runtime.markDirty(this);
    runtime.activate(this);
  }

  // ── frames in ─────────────────────────────────────────────────────────────────────────────────────

  private takeFrame(at: number): void {
    const { input } = this;
    const length = input.frameLength;
    const words = input.memory.i32;
    const type = words[(at >> 2) + F_KIND]! & 0xff;
    if (this.peer === null && type !== FrameType.HELLO) {
      this.close(`it sent a ${frameTypeName(type)} frame before HELLO; is it a Koala daemon?`);
      return;
    }
    let wrong = "";
    if (hasLongHeader(type) || type === FrameType.CHUNK) {
      this.window.granted -= length;
      if (this.window.granted < 0) {
        this.close(`it sent ${-this.window.granted} bytes more than it had credit for`);
        return;
      }
    }
    if (type === FrameType.CHUNK) {
      wrong = this.calls.takeChunk(at, length); // consumes by itself
    } else {
      if (type === FrameType.REQUEST) wrong = this.calls.takeRequest(at, length);
      else if (type === FrameType.RESPONSE) wrong = this.calls.takeResponse(at, length);
      else if (type === FrameType.STREAM_MESSAGE) wrong = this.calls.takeMessage(at, length);
      else wrong = this.takeOther(type, at, length);
      input.consume();
    }
    if (wrong !== "" && !this.down) this.close(`it sent ${wrong}`);
  }

  private takeOther(type: number, at: number, length: number): string {
    const words = this.input.memory.i32;
    const w = at >> 2;
    const stream = words[w + F_STREAM]!;
    const value = words[w + F_VALUE]!;
    switch (type) {
      case FrameType.CANCEL:
        this.calls.takeCancel(stream, statusFrom((words[w + F_KIND]! >>> 16) & 0xff));
        return "";
      case FrameType.CREDIT:
        return this.takeCredit(stream, value, words[w + F_KIND]!);
      case FrameType.STREAM_CREDIT:
        return this.calls.takeStreamCredit(stream, value, words[w + F_KIND]!);
      case FrameType.PING:
        this.frames.sendShort(FrameType.PONG, stream, value, 0, 0);
        return "";
      case FrameType.PONG:
        return "";
      case FrameType.BOUND:
        return this.bindings.onAnswer(stream, null);
      case FrameType.NEED_SCHEMA:
        return this.bindings.onNeedSchema(stream);
      case FrameType.SCHEMA:
      case FrameType.DESCRIBED: {
        const frame = this.input.memory.u8.subarray(at, at + length);
        return this.bindings.onPiece(type, stream, value, frame);
      }
      default:
        return this.takeCold(type, at, length, stream);
    }
  }

  private takeCold(type: number, at: number, length: number, stream: number): string {
    const frame = readColdFrame(type, this.input.memory, at, length);
    if (typeof frame === "string") return frame;
    switch (frame.type) {
      case FrameType.HELLO:
        return this.takeHello(frame.body);
      case FrameType.SERVICES:
        return this.takeServices(frame.body);
      case FrameType.BIND:
        return this.bindings.onBind(stream, frame.body);
      case FrameType.REFUSED:
        return this.bindings.onAnswer(stream, frame.body);
      case FrameType.DESCRIBE:
        return this.bindings.descriptions.onAsked(stream, frame.body);
      case FrameType.GOAWAY:
        this.draining = true;
        this.options.router.routesChanged();
        return "";
    }
  }

  private takeServices(services: Services): string {
    const taken = this.offered.take(services);
    if (taken === "more") return "";
    if (taken !== "done") return taken;
    this.bindings.forgetRefusals();
    this.options.router.routesChanged();
    this.options.onServices?.();
    return "";
  }

  private takeHello(peer: Hello): string {
    if (this.peer !== null) return "a second HELLO";
    const problem = helloProblem(peer);
    if (problem !== "") return problem;
    this.peer = peer;
    if (!this.sibling) this.label = `${peer.name} (${this.connection.remote})`;
    this.offered.set(peer.services);
    if (isShortHello(this.options)) this.announce();
    this.writer.credit = peer.linkWindow;
    this.writer.streamWindow = peer.streamWindow;
    this.writer.frameBytes = Math.min(peer.frameBytes, this.options.limits.frameBytes);
    this.options.onUp(this);
    if (!this.down) this.options.router.addLink(this);
    return "";
  }

  private takeCredit(stream: number, bytes: number, kind: number): string {
    if (bytes <= 0) return `a credit of ${bytes} bytes`;
    if (stream !== 0 || (kind & (FrameFlag.FROM_CALLEE << 8)) !== 0 || kind >>> 16 !== 0) {
      // A grant for a request comes from its callee, one for a reply from its caller.
      this.writer.allow(stream, (kind & (FrameFlag.FROM_CALLEE << 8)) === 0, bytes);
    } else {
      this.writer.credit += bytes;
    }
    if (this.parked.length > 0) this.parked.drain();
    this.streams.drain();
    this.options.runtime.markDirty(this);
    return "";
  }

  /** Who decided, seen from the far side: for another daemon this one is the remote one. */
  private seen(origin: Origin): Origin {
    const { LOCAL_DAEMON: near, REMOTE_DAEMON: far } = Origins;
    if (this.sibling) return origin === far ? near : origin;
    return origin === near ? far : origin;
  }

  // ── frames out ────────────────────────────────────────────────────────────────────────────────────

  private metadataProblem(body: Body): string {
    const limit = this.peer!.metadataBytes;
    return `${body.metadataLength} bytes of metadata, but ${this.label} takes up to ${limit}; raise metadata in [limits] of its koala.toml`;
  }

  private write(call: Call, body: Body, codec: Parameters<MessageWriter["write"]>[2]): Outcome {
    const outcome = this.writer.write(this.head, body, codec);
    // Nothing was put in then: a flush would only offer the call again, without end.
    if (outcome === Outcome.PARK) this.parked.push(call);
    else this.options.runtime.markDirty(this);
    if (outcome === Outcome.INVALID) this.invalidReason = this.writer.invalidReason;
    return outcome;
  }

  private send(before: number): boolean {
    const error = this.output.flush(this.connection);
    this.bytesOut += before - this.output.queuedBytes;
    if (error < 0) {
      this.close(`the connection is gone (${errnoName(error)})`);
      return false;
    }
    return true;
  }

  private owe(bytes: number): void {
    this.window.owed += bytes;
    if (this.window.isDue) this.options.runtime.markDirty(this);
  }

  private returnCredit(): void {
    const bytes = this.window.take();
    if (bytes > 0) this.frames.sendShort(FrameType.CREDIT, 0, bytes, 0, 0);
  }
}

/**
 * The daemon's side of the app channel, just good enough for the tests of this package: one event loop,
 * no policies, no links, no validation. It forwards calls to whoever serves the target, or answers them
 * as a test says, and it notes whatever an app does that a real daemon would close it for.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  closeFd,
  doorbellCreate,
  doorbellRing,
  EAGAIN,
  POLL_IN,
  receiveMessage,
  regionReadAt,
  SOCKET_SEQPACKET,
  sendMessage,
  socketAccept,
  unixListen,
  unwatch,
  watch,
} from "@koala/native";
import {
  type AppLimits,
  type AppRequest,
  CONTROL_SOCKET,
  CONTROL_VERSION,
  controlPacketBytesMax,
  type DaemonMessage,
  padTo8,
  SEGMENT_ROW_BYTES,
  SlotFlag,
  SlotKind,
  streamCreditInitial,
  TRACE_BYTES,
} from "@koala/protocol";
import {
  closeRegion,
  createRegion,
  Heap,
  type Memory,
  RingConsumer,
  RingProducer,
  ringBytes,
} from "@koala/shm";
import { defaultLimits, regionBytes } from "./fake-limits-helper.test.ts";

/** A call as it arrives: a copy of its slot, and its message as the receiver will have it. */
export interface FakeCall {
  readonly app: FakeApp;
  readonly slot: Int32Array;
  readonly id: number;
  readonly target: string;
  readonly bytes: Uint8Array;
}

interface Forwarded {
  readonly caller: FakeApp;
  readonly callerId: number;
  readonly hasBlock: boolean;
  readonly tag: number;
  readonly offset: number;
  /** Credit of the messages to the callee, and to the caller. */
  readonly credit: [number, number];
}

/** A MESSAGE or CREDIT on its way, as its sender wrote it. */
export interface FakeMessage {
  readonly kind: number;
  readonly flags: number;
  readonly count: number;
  readonly cost: number;
  readonly fromCallee: boolean;
}

export class FakeDaemon {
  readonly prefix: string;
  readonly apps: FakeApp[] = [];
  readonly violations: string[] = [];
  limits: AppLimits;
  /** Gets each call first; true: taken care of. */
  onCall: (call: FakeCall) => boolean = () => false;
  /** Answers a bind with a refusal when it returns one. */
  onBind: (target: string) => { code: string; status: number; message: string } | null = () => null;
  /** Answers `hello` with something else than a welcome when it returns that. */
  onHello: () => DaemonMessage | null = () => null;
  /** Cancelled calls end with their status, and their callees are told. */
  forwardsCancels = false;
  /** Messages and credits of streams so far. */
  readonly messages: FakeMessage[] = [];
  hellos = 0;
  /** Right after a welcome was sent. */
  onWelcome: (app: FakeApp) => void = () => {};
  private readonly folder: string;
  private listener = -1;
  private watcher = -1;

  constructor(limits: Partial<AppLimits> = {}) {
    this.limits = { ...defaultLimits, ...limits };
    this.folder = mkdtempSync(join(tmpdir(), "koala-client-"));
    this.prefix = join(this.folder, "run");
  }

  start(): this {
    mkdirSync(this.prefix, { recursive: true });
    this.listener = unixListen(join(this.prefix, CONTROL_SOCKET), SOCKET_SEQPACKET, 16, 0o600);
    this.watcher = watch(this.listener, POLL_IN, () => this.accept(), { ref: false });
    return this;
  }

  /** As if it had crashed. */
  stop(): void {
    if (this.listener === -1) return;
    unwatch(this.watcher);
    closeFd(this.listener);
    rmSync(join(this.prefix, CONTROL_SOCKET), { force: true });
    this.listener = -1;
    for (const app of this.apps) app.forwarded.clear();
    for (const app of [...this.apps]) app.close();
  }

  end(): void {
    this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  serverOf(target: string): { app: FakeApp; id: number } | undefined {
    for (const app of this.apps) {
      const id = app.exportNames.indexOf(target);
      if (id !== -1) return { app, id };
    }
    return undefined;
  }

  private accept(): void {
    for (;;) {
      const fd = socketAccept(this.listener);
      if (fd < 0) return;
      this.apps.push(new FakeApp(this, fd));
    }
  }
}

export class FakeApp {
  readonly exportNames: string[] = [];
  readonly bindings: string[] = [];
  readonly requests: AppRequest[] = [];
  readonly cancels: { id: number; reason: number }[] = [];
  name = "";
  receive: Heap | null = null;
  /** False: `grow` stays unanswered. */
  answersGrow = true;
  /** Releases of reply blocks are kept back. */
  keepsReplies = false;
  readonly keptReplies: number[] = [];
  private readonly daemon: FakeDaemon;
  private readonly fd: number;
  private readonly watcher: number;
  private readonly packet = Buffer.alloc(controlPacketBytesMax);
  private readonly fds = new Int32Array(17);
  private readonly sendRegions: (Memory | undefined)[] = [];
  readonly forwarded: Map<number, Forwarded> = new Map<number, Forwarded>();
  /** Who serves the calls of this app, by its ids. */
  readonly callees: Map<number, { app: FakeApp; id: number }> = new Map();
  private readonly outgoing: Int32Array[] = [];
  private nextCallId = 7;
  private rings: Memory | null = null;
  private consumer!: RingConsumer;
  private producer!: RingProducer;
  private bell = -1;
  private bellWatcher = -1;
  private appBell = -1;
  private closed = false;

  constructor(daemon: FakeDaemon, fd: number) {
    this.daemon = daemon;
    this.fd = fd;
    this.watcher = watch(fd, POLL_IN, () => this.read(), { ref: false });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    unwatch(this.watcher);
    closeFd(this.fd);
    this.daemon.apps.splice(this.daemon.apps.indexOf(this), 1);
    if (this.rings === null) return;
    unwatch(this.bellWatcher);
    closeFd(this.bell);
    closeFd(this.appBell);
    closeRegion(this.rings);
    for (const region of this.sendRegions) if (region !== undefined) closeRegion(region);
    closeRegion(this.receive!.regionMemory(0)!);
    // Calls that it served end for their callers.
    for (const call of this.forwarded.values()) {
      if (!call.caller.closed) call.caller.reply(call.callerId, 14, 4, "server gone");
    }
  }

  send(message: DaemonMessage, fds: readonly number[] = []): void {
    sendMessage(this.fd, Buffer.from(JSON.stringify(message)), fds.length === 0 ? null : fds);
    fds.forEach(closeFd);
  }

  /** Blocks of the receive heap that the app has not given back. */
  get blocksInUse(): number {
    return this.receive!.usage().blocks;
  }

  /** Ends a call: with `bytes` as its message, or with a status text. */
  reply(id: number, status: number, origin: number, text: string, bytes?: Uint8Array): void {
    const message = Buffer.from(text);
    const slot = this.place(SlotKind.REPLY, id, bytes ?? new Uint8Array(0), message);
    slot[2] = status | (origin << 8);
    slot[3] = message.length;
    this.flush();
  }

  cancelCall(id: number, reason: number): void {
    this.sendSlot(SlotKind.CANCEL, id, reason);
  }

  /** A slot as it is, for tests of what the app does with nonsense. */
  sendSlot(...words: number[]): void {
    this.newSlot().set(words);
    this.flush();
  }

  releaseKept(): void {
    this.keepsReplies = false;
    while (this.keptReplies.length > 0)
      this.release(this.keptReplies.shift()!, this.keptReplies.shift()!);
    this.flush();
  }

  poll(): void {
    if (this.closed) return;
    let count = 0;
    do {
      for (let at = this.consumer.next(); at !== -1; at = this.consumer.next()) {
        this.take(this.rings!.i32.slice(at, at + 16));
        if (this.closed) return;
        count++;
      }
    } while (!this.consumer.sleep());
    if (count > 0 && this.consumer.release()) doorbellRing(this.appBell);
    this.flush();
  }

  flush(): void {
    if (this.closed) return;
    do {
      while (this.outgoing.length > 0) {
        const at = this.producer.reserve();
        if (at === -1) break;
        this.rings!.i32.set(this.outgoing.shift()!, at);
      }
    } while (this.outgoing.length > 0 && !this.producer.waitForSpace());
    this.producer.publish();
    if (this.producer.takeSleeper()) doorbellRing(this.appBell);
  }

  private violation(what: string): void {
    this.daemon.violations.push(what);
  }

  private take(slot: Int32Array): void {
    const kind = slot[0]! & 0xff;
    if ((slot[0]! & (SlotFlag.RELEASES << 8)) !== 0) this.free(slot[12]!, slot[13]!);
    if (kind === SlotKind.CALL) this.takeCall(slot);
    else if (kind === SlotKind.REPLY) this.takeReply(slot);
    else if (kind === SlotKind.CANCEL) this.takeCancel(slot[1]!, slot[2]!);
    else if (kind === SlotKind.MESSAGE) this.takeMessage(slot);
    else if (kind === SlotKind.CREDIT) this.takeCredit(slot);
    else if (kind === SlotKind.RELEASE) {
      for (let i = 0; i < slot[0]! >>> 16; i++) this.free(slot[1 + 2 * i]!, slot[2 + 2 * i]!);
    } else this.violation(`slot of kind ${kind}`);
  }

  private takeCall(slot: Int32Array): void {
    const target = this.bindings[slot[2]!];
    if (target === undefined) {
      this.violation("call of an unknown binding");
      return;
    }
    const call = { app: this, slot, id: slot[1]!, target, bytes: this.gather(slot, false) };
    if (this.daemon.onCall(call)) return;
    const server = this.daemon.serverOf(target);
    if (server === undefined) {
      this.reply(call.id, 14, 1, `nobody serves ${target}`);
      return;
    }
    server.app.forward(this, call, server.id);
  }

  private forward(caller: FakeApp, call: FakeCall, exportId: number): void {
    const id = this.nextCallId++;
    const hasBlock = (call.slot[0]! & (SlotFlag.NO_BLOCK << 8)) === 0;
    const slot = hasBlock ? this.place(SlotKind.CALL, id, call.bytes) : this.newSlot();
    const flags = (SlotFlag.TRACE | SlotFlag.NO_BLOCK) << 8;
    slot[0] = SlotKind.CALL | (call.slot[0]! & (0xffff0000 | flags));
    slot[1] = id;
    slot[2] = exportId;
    slot[3] = call.slot[3]!;
    this.copyLengths(slot, call.slot);
    const [tag, offset] = [slot[4]!, slot[5]!];
    const credit: [number, number] = [streamCreditInitial, streamCreditInitial];
    this.forwarded.set(id, { caller, callerId: call.id, hasBlock, tag, offset, credit });
    caller.callees.set(call.id, { app: this, id });
    this.flush();
  }

  private takeCancel(id: number, reason: number): void {
    this.cancels.push({ id, reason });
    if (!this.daemon.forwardsCancels) return;
    const callee = this.callees.get(id);
    if (callee === undefined) return;
    this.callees.delete(id);
    callee.app.cancelCall(callee.id, reason);
    this.reply(id, reason, 1, "cancelled");
  }

  /** The call that a slot is about, and who gets what it says. */
  private routeOf(
    id: number,
    fromCallee: boolean,
  ): { call: Forwarded; app: FakeApp; id: number } | undefined {
    if (fromCallee) {
      const call = this.forwarded.get(id);
      const isOpen = call?.caller.callees.has(call.callerId) === true;
      return call !== undefined && isOpen
        ? { call, app: call.caller, id: call.callerId }
        : undefined;
    }
    const callee = this.callees.get(id);
    const call = callee?.app.forwarded.get(callee.id);
    return call === undefined ? undefined : { call, ...callee! };
  }

  private takeMessage(slot: Int32Array): void {
    const flags = (slot[0]! >>> 8) & 0xff;
    const fromCallee = (flags & SlotFlag.FROM_CALLEE) !== 0;
    const hasBlock = (flags & SlotFlag.NO_BLOCK) === 0;
    const route = this.routeOf(slot[1]!, fromCallee);
    const bytes = hasBlock ? this.gather(slot, false) : new Uint8Array(0);
    if (hasBlock) this.release(slot[4]!, slot[5]!);
    const { messages } = this.daemon;
    const [cost, count] = [slot[3]!, slot[10]!];
    messages.push({ kind: SlotKind.MESSAGE, flags, count, cost, fromCallee });
    if (cost !== slot[6]! + slot[8]!) this.violation("a cost that is not the size");
    if (count > 0 !== cost > 0) this.violation("a count without messages, or the reverse");
    if (route === undefined) return;
    const { credit } = route.call;
    const side = fromCallee ? 1 : 0;
    if (count > 0 && credit[side] <= 0) this.violation("a message without credit");
    credit[side] -= cost;
    const to = route.app;
    if (to.closed) return;
    const onward = hasBlock ? to.place(SlotKind.MESSAGE, route.id, bytes) : to.newSlot();
    onward[0] = SlotKind.MESSAGE | ((flags & ~SlotFlag.RELEASES) << 8);
    onward[1] = route.id;
    onward[3] = cost;
    this.copyLengths(onward, slot);
    onward[10] = count;
    to.flush();
  }

  private takeCredit(slot: Int32Array): void {
    const fromCallee = (slot[0]! & (SlotFlag.FROM_CALLEE << 8)) !== 0;
    const [id, bytes] = [slot[1]!, slot[3]!];
    const flags = (slot[0]! >>> 8) & 0xff;
    this.daemon.messages.push({ kind: SlotKind.CREDIT, flags, count: 0, cost: bytes, fromCallee });
    if (bytes <= 0) this.violation(`a credit of ${bytes}`);
    const route = this.routeOf(id, fromCallee);
    if (route === undefined || route.app.closed) return;
    // Credit of the callee is for messages to it.
    route.call.credit[fromCallee ? 0 : 1] += bytes;
    const flag = fromCallee ? SlotFlag.FROM_CALLEE << 8 : 0;
    route.app.newSlot().set([SlotKind.CREDIT | flag, route.id, 0, bytes]);
    route.app.flush();
  }

  private takeReply(slot: Int32Array): void {
    const call = this.forwarded.get(slot[1]!);
    if (call === undefined) {
      this.violation("reply to no call");
      return;
    }
    this.forwarded.delete(slot[1]!);
    const isHeld = (slot[0]! & (SlotFlag.HOLD << 8)) !== 0;
    if (call.hasBlock && !isHeld) this.free(call.tag, call.offset);
    const isBare = (slot[0]! & (SlotFlag.NO_BLOCK << 8)) !== 0;
    const bytes = isBare ? new Uint8Array(0) : this.gather(slot, true);
    const { caller } = call;
    // A cancelled one has its reply.
    const isOpen = caller.callees.delete(call.callerId);
    if (!caller.closed && isOpen) {
      const answer = isBare ? caller.newSlot() : caller.place(SlotKind.REPLY, call.callerId, bytes);
      answer[0] = SlotKind.REPLY | (slot[0]! & (SlotFlag.NO_BLOCK << 8));
      answer[1] = call.callerId;
      for (const i of [2, 3, 10]) answer[i] = slot[i]!;
      this.copyLengths(answer, slot);
      caller.flush();
    }
    if (isBare) return;
    if (this.keepsReplies) this.keptReplies.push(slot[4]!, slot[5]!);
    else this.release(slot[4]!, slot[5]!);
  }

  private release(tag: number, offset: number): void {
    this.newSlot().set([SlotKind.RELEASE | (1 << 16), tag, offset]);
  }

  private free(tag: number, offset: number): void {
    if (!this.receive!.free(tag, offset)) this.violation("release of a block that is not in use");
  }

  private copyLengths(to: Int32Array, from: Int32Array): void {
    for (const i of [6, 7, 8, 9]) to[i] = from[i]!;
  }

  /** A slot that goes out with the next flush, or once the ring has room. */
  private newSlot(): Int32Array {
    const slot = new Int32Array(16);
    this.outgoing.push(slot);
    return slot;
  }

  /** Everything that the slot's block holds, in the order of the receiving side. */
  private gather(slot: Int32Array, isReply: boolean): Uint8Array {
    const memory = this.sendRegions[slot[4]! >>> 16];
    if (memory === undefined) {
      this.violation("block in an unknown region");
      return new Uint8Array(0);
    }
    const [offset, inline, segments] = [slot[5]!, slot[6]!, slot[7]!];
    const parts = [memory.u8.slice(offset, offset + inline)];
    for (let i = 0; i < segments; i++) {
      const row = (offset + inline + i * SEGMENT_ROW_BYTES) >> 2;
      const source = this.sendRegions[memory.i32[row]! >>> 16]!;
      const start = memory.i32[row + 1]!;
      parts.push(source.u8.slice(start, start + padTo8(memory.i32[row + 2]!)));
    }
    const tail = offset + inline + segments * SEGMENT_ROW_BYTES;
    const traceBytes = (slot[0]! & (SlotFlag.TRACE << 8)) === 0 ? 0 : TRACE_BYTES;
    const tailBytes =
      traceBytes + padTo8(slot[9]!) + (isReply ? padTo8(slot[3]!) + padTo8(slot[10]!) : 0);
    parts.push(memory.u8.slice(tail, tail + tailBytes));
    return Buffer.concat(parts);
  }

  /** Puts bytes into the receive heap and names them in a new slot. */
  private place(kind: number, id: number, bytes: Uint8Array, text?: Uint8Array): Int32Array {
    const heap = this.receive!;
    const length = bytes.length + (text?.length ?? 0);
    if (!heap.allocate(Math.max(8, length))) this.addReceiveRegion(length);
    heap.memory.u8.set(bytes, heap.offset);
    if (text !== undefined) heap.memory.u8.set(text, heap.offset + bytes.length);
    const slot = this.newSlot();
    slot.set([kind, id, 0, 0, heap.tag, heap.offset, bytes.length]);
    return slot;
  }

  private addReceiveRegion(least: number): void {
    const heap = this.receive!;
    const bytes = Math.max(regionBytes, 2 ** Math.ceil(Math.log2(least + 65536)));
    const region = createRegion({ name: "test-receive", bytes, appMayWrite: false });
    const id = heap.freeRegionId();
    heap.addRegion(id, region.memory);
    this.send({ op: "region", heap: "receive", id, bytes }, [region.fd]);
    heap.allocate(Math.max(8, least));
  }

  private read(): void {
    while (!this.closed) {
      const length = receiveMessage(this.fd, this.packet, this.fds);
      if (length === -EAGAIN) return;
      if (length <= 0) {
        this.close();
        return;
      }
      const request = JSON.parse(this.packet.toString("utf8", 0, length)) as AppRequest;
      this.requests.push(request);
      this.answer(request, [...this.fds.subarray(1, 1 + this.fds[0]!)]);
    }
  }

  private answer(request: AppRequest, fds: number[]): void {
    if (request.op === "bind" || request.op === "serve") {
      const schema = new Uint8Array(request.schemaBytes);
      if (regionReadAt(fds[0]!, schema, 0, schema.length) !== schema.length) {
        this.violation("the schema is shorter than announced");
      }
    }
    fds.forEach(closeFd);
    switch (request.op) {
      case "hello":
        this.name = request.name;
        this.hello();
        return;
      case "bind": {
        const refusal = this.daemon.onBind(request.target);
        const { seq } = request;
        if (refusal !== null) {
          this.send({ op: "refused", seq, ...refusal });
          return;
        }
        this.bindings.push(request.target);
        this.send({ op: "bound", seq, binding: this.bindings.length - 1 });
        return;
      }
      case "serve":
        this.exportNames.push(request.name);
        this.send({
          op: "serving",
          seq: request.seq,
          export: this.exportNames.length - 1,
        });
        return;
      case "unserve":
        this.exportNames[request.export] = "";
        this.send({ op: "unserved", seq: request.seq });
        return;
      case "grow":
        this.grow(request.seq, request.bytes);
        return;
      case "shrink":
        closeRegion(this.sendRegions[request.region]!);
        this.sendRegions[request.region] = undefined;
    }
  }

  private hello(): void {
    this.daemon.hellos++;
    const other = this.daemon.onHello();
    if (other !== null) {
      this.send(other);
      return;
    }
    this.welcome();
    this.daemon.onWelcome(this);
  }

  private grow(seq: number, least: number): void {
    if (!this.answersGrow) return;
    const bytes = Math.max(regionBytes, 2 ** Math.ceil(Math.log2(least)));
    const total = this.sendRegions.reduce((sum, r) => sum + (r?.buffer.byteLength ?? 0), bytes);
    if (total > this.daemon.limits.sendHeapBytesMax) {
      const message = "the send heap has reached its limit";
      this.send({ op: "refused", seq, code: "ERR_APP_SEND_HEAP", status: 8, message });
      return;
    }
    const region = createRegion({ name: "test-send", bytes, appMayWrite: true });
    let id = 0;
    while (this.sendRegions[id] !== undefined) id++;
    this.sendRegions[id] = region.memory;
    this.send({ op: "region", heap: "send", id, bytes, seq }, [region.fd]);
  }

  private welcome(): void {
    const { limits } = this.daemon;
    const ringsBytes = Math.ceil((2 * ringBytes(limits.ringSlots)) / 4096) * 4096;
    const bytes = regionBytes + ringsBytes;
    const rings = createRegion({ name: "test-app", bytes, appMayWrite: true });
    const receive = createRegion({ name: "test-receive", bytes: regionBytes, appMayWrite: false });
    this.rings = rings.memory;
    this.sendRegions[0] = rings.memory;
    this.receive = new Heap(0, receive.memory);
    this.consumer = new RingConsumer(rings.memory, regionBytes, limits.ringSlots);
    this.producer = new RingProducer(
      rings.memory,
      regionBytes + ringBytes(limits.ringSlots),
      limits.ringSlots,
    );
    this.bell = doorbellCreate();
    this.appBell = doorbellCreate();
    this.consumer.sleep();
    const onBell = (): void => this.poll();
    this.bellWatcher = watch(this.bell, POLL_IN, onBell, { clear: true, ref: false });
    const welcome: DaemonMessage = {
      op: "welcome",
      version: CONTROL_VERSION,
      app: 1,
      daemon: { name: "fake", version: "0", pid: process.pid },
      limits,
      ringsOffset: regionBytes,
      regionBytes: bytes,
    };
    const packet = Buffer.from(JSON.stringify(welcome));
    sendMessage(this.fd, packet, [rings.fd, this.bell, this.appBell]);
    this.send({ op: "region", heap: "receive", id: 0, bytes: regionBytes }, [receive.fd]);
    closeFd(rings.fd);
  }
}

/** An app that speaks the control channel and the rings by hand, and so can say anything. */
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  closeFd,
  doorbellRing,
  EAGAIN,
  receiveMessage,
  regionCreate,
  SOCKET_SEQPACKET,
  sendMessage,
  unixConnect,
} from "@koala/native";
import {
  CONTROL_SOCKET,
  CONTROL_VERSION,
  type DaemonMessage,
  SLOT_WORDS,
  SlotKind,
  W_INLINE_LENGTH,
  W_KIND,
  W_TARGET,
} from "@koala/protocol";
import type { ServiceSchema } from "@koala/schema";
import {
  closeRegion,
  type Memory,
  mapRegion,
  RingConsumer,
  RingProducer,
  ringBytes,
} from "@koala/shm";
import { type Ending, until } from "@koala/testing";
import { atEnd, type Daemon } from "./cluster.ts";

export type Welcome = DaemonMessage & { op: "welcome" };
export type Closed = DaemonMessage & { op: "closed" };

export class HostileApp {
  readonly fd: number;
  welcome!: Welcome;
  /** Region 0, with the rings behind the heap. */
  sendHeap!: Memory;
  producer!: RingProducer;
  consumer!: RingConsumer;
  /** 0 region of send heap and rings, 1 doorbell of the daemon, 2 of the app, further ones by tests. */
  fds: number[] = [];
  /** Why the daemon ended it. */
  closed: Closed | undefined;
  ended = false;
  private readonly buffer = Buffer.alloc(64 * 1024);
  private readonly fdsOut = new Int32Array(17);
  private readonly mapped: Memory[] = [];
  private seq = 0;
  private gone = false;

  constructor(prefix: string) {
    this.fd = unixConnect(join(prefix, CONTROL_SOCKET), SOCKET_SEQPACKET);
  }

  /** Sends a packet as it is. */
  packet(content: unknown, fds: readonly number[] | null = null): number {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    return sendMessage(this.fd, bytes, fds);
  }

  /** The next packet; undefined when the daemon has closed the channel. */
  async next(): Promise<{ message: DaemonMessage; fds: number[] } | undefined> {
    let length = -EAGAIN;
    await until("a packet of the daemon", () => {
      length = receiveMessage(this.fd, this.buffer, this.fdsOut);
      return length !== -EAGAIN;
    });
    if (length <= 0) {
      this.ended = true;
      return undefined;
    }
    const message = JSON.parse(this.buffer.toString("utf8", 0, length)) as DaemonMessage;
    if (message.op === "closed") this.closed = message;
    return { message, fds: [...this.fdsOut.subarray(1, 1 + this.fdsOut[0]!)] };
  }

  /** Skips to the packet of this operation; throws what it was ended with before. */
  async expect<Op extends DaemonMessage["op"]>(
    op: Op,
  ): Promise<{ message: DaemonMessage & { op: Op }; fds: number[] }> {
    for (;;) {
      const found = await this.next();
      if (found === undefined) {
        throw new Error(`expected "${op}", the channel was closed: ${JSON.stringify(this.closed)}`);
      }
      if (found.message.op === op) return found as never;
      found.fds.forEach(closeFd);
    }
  }

  /** Waits until the daemon has ended it and says why. */
  async end(): Promise<Closed> {
    while (!this.ended) for (const fd of (await this.next())?.fds ?? []) closeFd(fd);
    if (this.closed === undefined) throw new Error("the channel was closed without a word");
    return this.closed;
  }

  async hello(name = "hostile"): Promise<this> {
    this.packet({ op: "hello", version: CONTROL_VERSION, name, library: "hostile", thread: 0 });
    const { message, fds } = await this.expect("welcome");
    this.welcome = message;
    this.fds = fds;
    this.sendHeap = this.map(fds[0]!, message.regionBytes, true);
    const { ringsOffset, limits } = message;
    const slots = limits.ringSlots;
    this.producer = new RingProducer(this.sendHeap, ringsOffset, slots);
    this.consumer = new RingConsumer(this.sendHeap, ringsOffset + ringBytes(slots), slots);
    return this;
  }

  /** Has the daemon put something into the receive heap: descriptor and size of its first region. */
  async receiveRegion(schema: ServiceSchema): Promise<{ fd: number; bytes: number }> {
    const binding = await this.bind("nobody serves this", schema);
    this.slot({ [W_KIND]: SlotKind.CALL, [W_TARGET]: binding, [W_INLINE_LENGTH]: 8 });
    this.ring();
    const { message, fds } = await this.expect("region");
    this.fds.push(fds[0]!);
    return { fd: fds[0]!, bytes: message.bytes };
  }

  map(fd: number, bytes: number, writable: boolean): Memory {
    const memory = mapRegion(fd, bytes, writable);
    this.mapped.push(memory);
    return memory;
  }

  async bind(target: string, schema: ServiceSchema): Promise<number> {
    this.register("bind", { target }, schema);
    return (await this.expect("bound")).message.binding;
  }

  async serve(name: string, schema: ServiceSchema): Promise<number> {
    this.register("serve", { name }, schema);
    return (await this.expect("serving")).message.export;
  }

  /** Sends `bind` or `serve`; what the daemon is told of the schema can be overruled. */
  register(op: "bind" | "serve", name: object, schema: ServiceSchema, overrule: object = {}): void {
    const fd = schemaFile(schema.descriptorSet);
    const schemaBytes = schema.descriptorSet.length;
    const { typeName: service, hash } = schema;
    this.packet({ op, seq: ++this.seq, ...name, service, hash, schemaBytes, ...overrule }, [fd]);
    closeFd(fd);
  }

  /** Puts a slot into the send ring: words by index, the rest 0. */
  slot(words: Readonly<Record<number, number>>): void {
    const at = this.producer.reserve();
    if (at < 0) throw new Error("the send ring is full");
    for (let i = 0; i < SLOT_WORDS; i++) this.sendHeap.i32[at + i] = words[i] ?? 0;
  }

  /** Makes the slots visible and wakes the daemon. */
  ring(): void {
    this.producer.publish();
    this.producer.takeSleeper();
    doorbellRing(this.fds[1]!);
  }

  /** The next slot from the daemon. */
  async received(): Promise<Int32Array> {
    let at = -1;
    await until("a slot from the daemon", () => {
      at = this.consumer.next();
      return at >= 0;
    });
    const slot = this.sendHeap.i32.slice(at, at + SLOT_WORDS);
    this.consumer.release();
    return slot;
  }

  /** Closes everything, as the end of a process would. */
  close(): void {
    if (this.gone) return;
    this.gone = true;
    for (const memory of this.mapped) closeRegion(memory);
    for (const fd of this.fds) closeFd(fd);
    closeFd(this.fd);
  }
}

/** A hostile app without `hello`; gone after the test. */
export function openHostileApp(test: Ending, daemon: Pick<Daemon, "prefix">): HostileApp {
  const app = new HostileApp(daemon.prefix);
  atEnd(test, () => app.close());
  return app;
}

/** A memfd with these bytes. */
export function schemaFile(bytes: Uint8Array): number {
  const fd = regionCreate("hostile-schema", Math.max(1, bytes.length));
  const file = openSync(`/proc/self/fd/${fd}`, "r+");
  writeSync(file, bytes, 0, bytes.length, 0);
  closeFd(file);
  return fd;
}

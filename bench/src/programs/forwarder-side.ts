/** The two kinds of neighbours that a forwarder has: an app behind rings, another forwarder behind TCP. */
import { KoalaError } from "@koala/interface";
import { doorbellRing, EAGAIN, END_OF_STREAM, socketRead, socketWrite } from "@koala/native";
import { copySlot, openRingLink, type RingLink, slotWords } from "./ring-link.ts";

/** One neighbour. */
export interface Side {
  /** What to sleep on. */
  readonly fd: number;
  readonly isDoorbell: boolean;
  /** Takes all slots that have come from here, and puts them into the other side. */
  moveTo(other: Side): void;
  put(from: Int32Array, slot: number): void;
  /** Lets the neighbour see what was put. */
  flush(): void;
  /** Asks to be woken; false when there is work. */
  sleep(): boolean;
  awake(): void;
}

/** An app. */
export class RingSide implements Side {
  readonly fd: number;
  readonly isDoorbell = true;
  private readonly link: RingLink;
  private readonly appBell: number;

  constructor(regionFd: number, forwarderBell: number, appBell: number) {
    this.link = openRingLink(regionFd, "forwarder");
    this.fd = forwarderBell;
    this.appBell = appBell;
  }

  moveTo(other: Side): void {
    const { input, words } = this.link;
    for (let slot = input.next(); slot !== -1; slot = input.next()) other.put(words, slot);
    input.release();
  }

  put(from: Int32Array, slot: number): void {
    const target = this.link.output.reserve();
    if (target < 0) throw new KoalaError("ERR_BENCH_FLOOR", "the ring to the app is full");
    copySlot(from, slot, this.link.words, target);
  }

  flush(): void {
    this.link.output.publish();
    if (this.link.output.takeSleeper()) doorbellRing(this.appBell);
  }

  sleep(): boolean {
    return this.link.input.sleep();
  }

  awake(): void {
    this.link.input.awake();
  }
}

const slotBytes = slotWords * 4;
/** More than are ever in flight, so that one write takes everything and one read finds it. */
const bufferBytes = 1024 * slotBytes;

/** Another forwarder. */
export class SocketSide implements Side {
  readonly fd: number;
  readonly isDoorbell = false;
  private readonly output = new Int32Array(bufferBytes / 4);
  private readonly input = new Int32Array(bufferBytes / 4);
  private outputWords = 0;
  private inputBytes = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  moveTo(other: Side): void {
    const { buffer } = this.input;
    const got = socketRead(this.fd, buffer, this.inputBytes, bufferBytes - this.inputBytes);
    if (got === -EAGAIN) return;
    // The other one has been told to end.
    if (got === END_OF_STREAM) process.exit();
    if (got < 0) throw new KoalaError("ERR_BENCH_FLOOR", `the socket failed: errno ${-got}`);
    const bytes = this.inputBytes + got;
    const slots = Math.floor(bytes / slotBytes);
    for (let slot = 0; slot < slots; slot++) other.put(this.input, slot * slotWords);
    this.input.copyWithin(0, slots * slotWords, Math.ceil(bytes / 4));
    this.inputBytes = bytes - slots * slotBytes;
  }

  put(from: Int32Array, slot: number): void {
    copySlot(from, slot, this.output, this.outputWords);
    this.outputWords += slotWords;
  }

  flush(): void {
    if (this.outputWords === 0) return;
    const bytes = this.outputWords * 4;
    this.outputWords = 0;
    const sent = socketWrite(this.fd, this.output.buffer, 0, bytes);
    if (sent === bytes) return;
    throw new KoalaError("ERR_BENCH_FLOOR", `the socket took ${sent} of ${bytes} bytes`);
  }

  /** The poller looks at states, so nothing that has come is missed. */
  sleep(): boolean {
    return true;
  }

  awake(): void {}
}

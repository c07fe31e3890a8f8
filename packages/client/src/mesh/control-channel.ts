/**
 * The app's end of the control channel: JSON packets with descriptors beside them, see
 * `@koala/protocol`. Packets are handled in the order they come, and can be read at any moment with
 * `poll`, because a ring slot may need what a packet before it brought.
 */
import { KoalaError } from "@koala/interface";
import {
  closeFd,
  EAGAIN,
  EINTR,
  errnoName,
  POLL_IN,
  POLL_OUT,
  receiveMessage,
  SOCKET_SEQPACKET,
  sendMessage,
  unixConnect,
  unwatch,
  watch,
  watchChange,
  watchRef,
} from "@koala/native";
import { type AppRequest, controlPacketBytesMax, type DaemonMessage } from "@koala/protocol";

/** Takes a packet and owns the descriptors that came with it. */
export type PacketHandler = (message: DaemonMessage, fds: readonly number[]) => void;

/** Who is told what comes in that is not an answer. */
export interface ControlListener {
  onPacket: PacketHandler;
  /** The channel has ended, once; `reason` is a sentence. */
  onEnd(reason: string): void;
}

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly fds: readonly number[];
}

/** Packets that may wait for the daemon to read; more means that it has stopped doing so. */
const outgoingMax = 4096;
const fdsMax = 16;
/** Where packets are read to, for all channels of this thread: a packet is taken out before the next is read. */
const packet = Buffer.allocUnsafeSlow(controlPacketBytesMax);

export class ControlChannel {
  ended = false;
  listener: ControlListener;
  private readonly fd: number;
  private readonly watcher: number;
  private readonly fds = new Int32Array(1 + fdsMax);
  private readonly answers = new Map<number, PacketHandler>();
  private readonly outgoing: Outgoing[] = [];
  private lastSeq = 0;
  private keepsAlive = true;

  /** Connects; throws what the system call says. */
  constructor(path: string, listener: ControlListener) {
    this.listener = listener;
    this.fd = unixConnect(path, SOCKET_SEQPACKET);
    const owned = [this.fd];
    this.watcher = watch(this.fd, POLL_IN, (events) => this.onEvents(events), { owned });
  }

  /** Whether the channel alone keeps the process alive. It always does while an answer is due. */
  keepAlive(yes: boolean): void {
    this.keepsAlive = yes;
    this.updateReference();
  }

  /** The number for the next request. */
  nextSeq(): number {
    this.lastSeq = (this.lastSeq + 1) & 0x7fffffff;
    return this.lastSeq;
  }

  /** Sends a request and calls back with its answer, unless the channel ends before. Closes `fds`. */
  request(
    request: AppRequest & { seq: number },
    fds: readonly number[],
    onAnswer: PacketHandler,
  ): void {
    this.answers.set(request.seq, onAnswer);
    this.updateReference();
    this.send(request, fds);
  }

  /** Sends a packet, at once or when there is room. The descriptors are closed here afterwards. */
  send(request: AppRequest, fds: readonly number[] = []): void {
    const bytes = Buffer.from(JSON.stringify(request));
    if (this.ended || bytes.length > controlPacketBytesMax) {
      fds.forEach(closeFd);
      if (this.ended) return;
      throw new KoalaError(
        "ERR_CONNECT_PACKET",
        `control packet "${request.op}" has ${bytes.length} bytes, at most ${controlPacketBytesMax} fit; shorten its names`,
      );
    }
    this.outgoing.push({ bytes, fds });
    this.sendQueued();
  }

  /** Handles all packets that are there. */
  poll(): void {
    while (!this.ended) {
      const length = receiveMessage(this.fd, packet, this.fds);
      if (length > 0) this.handle(length);
      else if (length === -EAGAIN) return;
      else if (length !== -EINTR) {
        this.end(length === 0 ? "the daemon closed the connection" : errorText("receive", length));
      }
    }
  }

  /** Ends the channel; the listener is told unless it is the one who ends it (no reason). */
  end(reason?: string): void {
    if (this.ended) return;
    this.ended = true;
    unwatch(this.watcher);
    closeFd(this.fd);
    for (const { fds } of this.outgoing) fds.forEach(closeFd);
    this.outgoing.length = 0;
    this.answers.clear();
    if (reason !== undefined) this.listener.onEnd(reason);
  }

  private updateReference(): void {
    if (!this.ended) watchRef(this.watcher, this.keepsAlive || this.answers.size > 0);
  }

  private onEvents(events: number): void {
    if ((events & POLL_OUT) !== 0) this.sendQueued();
    this.poll();
  }

  private sendQueued(): void {
    let sent = 0;
    for (const { bytes, fds } of this.outgoing) {
      const result = sendMessage(this.fd, bytes, fds.length === 0 ? null : fds);
      if (result === -EAGAIN || result === -EINTR) break;
      // The end is seen, and the listener told, by the reading side: senders are not re-entered.
      fds.forEach(closeFd);
      sent++;
    }
    this.outgoing.splice(0, sent);
    if (this.outgoing.length > outgoingMax) {
      setImmediate(() => this.end(`${outgoingMax} control packets wait: the daemon hangs`));
    }
    watchChange(this.watcher, this.outgoing.length > 0 ? POLL_IN | POLL_OUT : POLL_IN);
  }

  private handle(length: number): void {
    const fds = [...this.fds.subarray(1, 1 + this.fds[0]!)];
    let message: DaemonMessage;
    try {
      message = JSON.parse(packet.toString("utf8", 0, length));
    } catch {
      fds.forEach(closeFd);
      this.end("the daemon sent a control packet that is not JSON");
      return;
    }
    const seq = "seq" in message ? message.seq : undefined;
    const onAnswer = seq === undefined ? undefined : this.answers.get(seq);
    if (seq !== undefined && this.answers.delete(seq)) this.updateReference();
    if (onAnswer !== undefined) onAnswer(message, fds);
    else this.listener.onPacket(message, fds);
  }
}

function errorText(what: string, result: number): string {
  return `${what} on the control channel failed: ${errnoName(result)}`;
}

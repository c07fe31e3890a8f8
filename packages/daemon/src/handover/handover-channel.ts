/** One end of the socket pair between the daemon that leaves and the one that comes. Main thread only. */
import { KoalaError } from "@koala/interface";
import {
  closeFd,
  EAGAIN,
  errnoName,
  POLL_IN,
  receiveMessage,
  sendMessage,
  unwatch,
  watch,
} from "@koala/native";
import type { z } from "zod";
import { descriptorsPerPacket, handoverPacketBytesMax } from "./handover-message.ts";

const retryMs = 1;

/** A packet; its descriptors belong to whoever takes it. */
export interface HandoverPacket<In> {
  readonly message: In;
  readonly fds: readonly number[];
}

/** The other side has ended, or can't be understood. */
export class HandoverLost extends Error {
  /** It will never say anything again. */
  readonly hasEnded: boolean;

  constructor(message: string, hasEnded: boolean) {
    super(message);
    this.hasEnded = hasEnded;
  }
}

export class HandoverChannel<In, Out> {
  private readonly fd: number;
  private readonly schema: z.ZodType<In>;
  private watcher: number;
  private readonly bytes = new Uint8Array(handoverPacketBytesMax);
  private readonly fds = new Int32Array(1 + descriptorsPerPacket);
  private readonly packets: HandoverPacket<In>[] = [];
  private lost: HandoverLost | undefined;
  private wake: (() => void) | undefined;
  private closed = false;

  /** Owns the descriptor from now on. */
  constructor(fd: number, schema: z.ZodType<In>) {
    this.fd = fd;
    this.schema = schema;
    this.watcher = watch(fd, POLL_IN, () => this.read());
  }

  /** Sends a message; waits while the other side has too much to read. Rejects when it has ended. */
  async send(message: Out, fds: readonly number[] = []): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(message));
    for (;;) {
      if (this.closed) throw new HandoverLost("the channel is closed", false);
      const sent = sendMessage(this.fd, bytes, fds.length === 0 ? null : fds);
      if (sent > 0) return;
      if (sent !== -EAGAIN) throw new HandoverLost(`it has ended (${errnoName(sent)})`, true);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  /** The next packet; rejects with HandoverLost when there will be none, or at the deadline. */
  async receive(deadlineMs: number): Promise<HandoverPacket<In>> {
    if (this.packets.length === 0 && this.lost === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.wake = undefined;
    }
    const packet = this.packets.shift();
    if (packet !== undefined) return packet;
    throw this.lost ?? new HandoverLost(`it has not answered within ${deadlineMs} ms`, false);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopReading();
    closeFd(this.fd);
    for (const { fds } of this.packets.splice(0)) for (const fd of fds) closeFd(fd);
    this.lost ??= new HandoverLost("the channel is closed", false);
    this.wake?.();
  }

  private read(): void {
    while (this.lost === undefined) {
      const bytes = receiveMessage(this.fd, this.bytes, this.fds);
      if (bytes === -EAGAIN) return;
      if (bytes <= 0) {
        this.lost = new HandoverLost(bytes === 0 ? "it has ended" : errnoName(bytes), true);
      } else this.take(this.bytes.subarray(0, bytes), [...this.fds.subarray(1, 1 + this.fds[0]!)]);
      this.wake?.();
    }
    // The end of the other side stays readable.
    this.stopReading();
  }

  private stopReading(): void {
    if (this.watcher >= 0) unwatch(this.watcher);
    this.watcher = -1;
  }

  private take(bytes: Uint8Array, fds: number[]): void {
    try {
      const message = this.schema.parse(JSON.parse(Buffer.from(bytes).toString()));
      this.packets.push({ message, fds });
    } catch {
      for (const fd of fds) closeFd(fd);
      this.lost = new HandoverLost("it sent what this version does not understand", false);
    }
  }
}

/** Waits for a message of one kind; anything else is a refusal. */
export function expected<Message extends { op: string }, Op extends Message["op"]>(
  { message, fds }: HandoverPacket<Message>,
  op: Op,
): HandoverPacket<Message & { op: Op }> {
  if (message.op === op) return { message: message as Message & { op: Op }, fds };
  for (const fd of fds) closeFd(fd);
  const { reason, code } = message as { reason?: string; code?: string };
  if (reason !== undefined) throw new KoalaError(code ?? "ERR_HANDOVER_REFUSED", reason);
  throw new HandoverLost(`it said "${message.op}" where "${op}" was expected`, false);
}

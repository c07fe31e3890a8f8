/**
 * Short and cold frames of a link on their way out. They may use the room that the output keeps free for
 * them, and keep their order among themselves even when they have to wait.
 */
import {
  F_KIND,
  F_LENGTH,
  F_STREAM,
  F_VALUE,
  FrameFlag,
  FrameType,
  padTo8,
  SHORT_HEADER_BYTES,
} from "@koala/protocol";
import type { ColdSender } from "./link-bindings.ts";
import type { LinkOutput } from "./link-output.ts";

/** Frames that may wait for a far side that does not read; more, and the link is to be closed. */
const waitingMax = 65536;
const SPACE = 0x20;

export class FrameSender implements ColdSender {
  /** The far side does not read what it asks for. */
  isFlooded = false;
  private readonly waiting: Uint8Array[] = [];
  private readonly output: LinkOutput;
  private readonly onQueued: () => void;

  /** `onQueued` is told whenever the output has something to flush. */
  constructor(output: LinkOutput, onQueued: () => void) {
    this.output = output;
    this.onQueued = onQueued;
  }

  /** Frames that found no room yet. */
  get waitingCount(): number {
    return this.waiting.length;
  }

  sendJson(type: FrameType, stream: number, value: unknown): void {
    this.sendBytes(type, stream, 0, Buffer.from(JSON.stringify(value)));
  }

  sendBytes(type: FrameType, stream: number, value: number, bytes: Uint8Array): void {
    // JSON is padded with spaces, which it does not mind.
    const padding = type === FrameType.SCHEMA || type === FrameType.DESCRIBED ? 0 : SPACE;
    const frame = createFrame(type, stream, value, padTo8(bytes.length), padding);
    frame.set(bytes, SHORT_HEADER_BYTES);
    this.send(frame);
  }

  sendShort(type: FrameType, stream: number, value: number, value16: number, flags: number): void {
    this.send(createFrame(type | (flags << 8) | (value16 << 16), stream, value, 0, 0));
  }

  /** CREDIT for one message; grants for a request come from its callee. */
  grant(stream: number, isReply: boolean, bytes: number): void {
    this.sendShort(FrameType.CREDIT, stream, bytes, 0, isReply ? 0 : FrameFlag.FROM_CALLEE);
  }

  /** A copy of the frames that wait. */
  save(): Uint8Array {
    return Buffer.concat(this.waiting);
  }

  /** Puts waiting frames in, as far as there is room. */
  drain(): void {
    while (this.waiting.length > 0 && this.put(this.waiting[0]!)) this.waiting.shift();
  }

  private send(frame: Uint8Array): void {
    this.onQueued();
    if (this.waiting.length === 0 && this.put(frame)) return;
    this.waiting.push(frame);
    if (this.waiting.length > waitingMax) this.isFlooded = true;
  }

  private put(frame: Uint8Array): boolean {
    const at = this.output.reserveUrgent(frame.length);
    if (at < 0) return false;
    this.output.memory.u8.set(frame, at);
    this.output.commit(frame.length);
    return true;
  }
}

function createFrame(
  kind: number,
  stream: number,
  value: number,
  bodyBytes: number,
  padding: number,
): Uint8Array {
  const frame = new Uint8Array(SHORT_HEADER_BYTES + bodyBytes).fill(padding, SHORT_HEADER_BYTES);
  const words = new Int32Array(frame.buffer, 0, SHORT_HEADER_BYTES / 4);
  words[F_LENGTH] = frame.length;
  words[F_KIND] = kind;
  words[F_STREAM] = stream;
  words[F_VALUE] = value;
  return frame;
}

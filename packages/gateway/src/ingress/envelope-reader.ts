/**
 * Messages of a request: each with a byte of flags and four bytes of length in front. Read as the consumer
 * takes them: with a message at hand that nobody has asked for, the peer is not read from any further.
 */
import type { Readable } from "node:stream";
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import { decompress, type Encoding, tooLarge } from "./compression.ts";
import type { RequestMessages } from "./request-messages.ts";

/** Flags and length. */
export const envelopeHeadBytes = 5;
const COMPRESSED = 1;

export interface EnvelopeReaderOptions {
  readonly body: Readable;
  readonly encoding: Encoding;
  readonly bytesMax: number;
  /** The status of a request that is not made of messages. */
  readonly malformed: Status;
  /** The body is base64. */
  readonly isText: boolean;
  /** How long a message may take to come when it is asked for; 0: for ever. */
  readonly stallMs: number;
}

export class EnvelopeReader implements RequestMessages, AsyncIterableIterator<Uint8Array> {
  problem: RpcError | null = null;
  /** Messages taken. */
  count = 0;
  private readonly options: EnvelopeReaderOptions;
  private chunks: Buffer[] = [];
  private bytes = 0;
  private rest = "";
  private hasEnded = false;
  private isOver = false;
  private wake: (() => void) | null = null;

  constructor(options: EnvelopeReaderOptions) {
    this.options = options;
    const { body, isText } = options;
    body.on("data", (chunk: Buffer) => {
      if (this.isOver) return;
      const bytes = isText ? this.decode(chunk) : chunk;
      this.chunks.push(bytes);
      this.bytes += bytes.length;
      if (this.wake === null) body.pause();
      else this.stir();
    });
    // A body without a byte may have ended before anybody looked.
    this.hasEnded = body.readableEnded;
    body.once("end", () => {
      this.hasEnded = true;
      this.stir();
    });
    // Closed before its end: the peer has gone, and the call's signal says so too. That may have been before now.
    const onClose = (): void => {
      if (!this.hasEnded) {
        this.problem ??= new RpcError(Status.CANCELLED, "the caller has gone", { origin: "app" });
      }
      this.stir();
    };
    if (body.destroyed) onClose();
    else body.once("close", onClose);
    body.pause();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      return await this.read();
    } catch (error) {
      if (isRpcError(error)) this.problem ??= error;
      throw error;
    }
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.isOver = true;
    this.chunks = [];
    this.bytes = 0;
    this.options.body.resume();
    return Promise.resolve({ done: true, value: undefined });
  }

  async single(timeoutMs: number | undefined): Promise<Uint8Array> {
    let timer: NodeJS.Timeout | undefined;
    if (timeoutMs !== undefined && !this.options.body.readableEnded) {
      const text = "the time for the call was over before its request was complete";
      const error = new RpcError(Status.DEADLINE_EXCEEDED, text, { origin: "local-daemon" });
      timer = setTimeout(() => this.fail(error), Math.min(timeoutMs, 0x7fffffff));
    }
    try {
      const first = await this.next();
      if (first.done === true) throw cardinality("none");
      const second = await this.next();
      if (second.done !== true) throw cardinality("more than one");
      return first.value;
    } finally {
      clearTimeout(timer);
    }
  }

  private fail(error: RpcError): void {
    this.problem ??= error;
    this.stir();
  }

  private async read(): Promise<IteratorResult<Uint8Array>> {
    const { bytesMax, encoding, malformed } = this.options;
    while (this.bytes < envelopeHeadBytes) {
      if (this.isOver || (this.hasEnded && this.bytes === 0))
        return { done: true, value: undefined };
      await this.more();
    }
    const head = this.take(envelopeHeadBytes);
    const flags = head[0]!;
    const length = head.readUInt32BE(1);
    if ((flags & ~COMPRESSED) !== 0) {
      throw new RpcError(malformed, `a message with the flags ${flags}, expected 0 or 1`);
    }
    if (length > bytesMax) throw tooLarge("", length, bytesMax);
    while (this.bytes < length) {
      if (this.isOver) return { done: true, value: undefined };
      await this.more();
    }
    const message = this.take(length);
    this.count++;
    if (flags === 0) return { done: false, value: message };
    if (encoding === "identity") {
      const text = "a message is marked as compressed, but the request names no compression";
      throw new RpcError(malformed, text);
    }
    return { done: false, value: await decompress(message, bytesMax, malformed) };
  }

  /** Waits for more bytes; throws when there will be none. */
  private async more(): Promise<void> {
    const { body, stallMs, malformed } = this.options;
    if (this.problem !== null) throw this.problem;
    if (this.hasEnded) throw new RpcError(malformed, "the request ends in the middle of a message");
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    if (stallMs > 0) {
      timer = setTimeout(() => {
        const text = `the request stands still for ${stallMs} ms; raise body_timeout of the [[ingress]] for clients that are so slow`;
        this.fail(new RpcError(Status.DEADLINE_EXCEEDED, text, { origin: "local-daemon" }));
      }, stallMs);
    }
    body.resume();
    await woken;
    clearTimeout(timer);
    if (this.problem !== null) throw this.problem;
  }

  private stir(): void {
    const { wake } = this;
    this.wake = null;
    wake?.();
  }

  private take(length: number): Buffer {
    this.bytes -= length;
    const first = this.chunks[0];
    if (first !== undefined && first.length >= length) {
      if (first.length === length) this.chunks.shift();
      else this.chunks[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const all = Buffer.concat(this.chunks);
    this.chunks = all.length === length ? [] : [all.subarray(length)];
    return all.subarray(0, length);
  }

  /** Whole groups of base64; padding may come in the middle, where a sender has put pieces together. */
  private decode(chunk: Buffer): Buffer {
    const text = this.rest + chunk.toString("latin1").replaceAll(/[\r\n]/g, "");
    const whole = text.length - (text.length % 4);
    this.rest = text.slice(whole);
    const parts = text.slice(0, whole).match(/.{4}/g) ?? [];
    return Buffer.concat(joined(parts).map((part) => Buffer.from(part, "base64")));
  }
}

/** Runs of groups that end where there is padding. */
function joined(groups: readonly string[]): string[] {
  const runs: string[] = [];
  let run = "";
  for (const group of groups) {
    run += group;
    if (!group.endsWith("=")) continue;
    runs.push(run);
    run = "";
  }
  if (run !== "") runs.push(run);
  return runs;
}

function cardinality(found: string): RpcError {
  return new RpcError(
    Status.UNIMPLEMENTED,
    `the method takes one message, the request has ${found}`,
  );
}

function isRpcError(error: unknown): error is RpcError {
  return error instanceof RpcError;
}

/** A message with its head in front. */
export function enveloped(flags: number, message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(envelopeHeadBytes + message.length);
  bytes[0] = flags;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, envelopeHeadBytes);
  return bytes;
}

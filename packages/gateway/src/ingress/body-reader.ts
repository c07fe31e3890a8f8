/** A request whose whole body is its one message, as Connect has it for unary methods. */
import type { Readable } from "node:stream";
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import { decompress, type Encoding, tooLarge } from "./compression.ts";
import type { RequestMessages } from "./request-messages.ts";

export interface BodyReaderOptions {
  readonly body: Readable;
  readonly encoding: Encoding;
  readonly bytesMax: number;
  /** How long the body may stand still. */
  readonly stallMs: number;
}

export class BodyReader implements RequestMessages {
  problem: RpcError | null = null;
  private readonly options: BodyReaderOptions;

  constructor(options: BodyReaderOptions) {
    this.options = options;
    options.body.pause();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield await this.single(undefined);
  }

  async single(timeoutMs: number | undefined): Promise<Uint8Array> {
    const { encoding, bytesMax } = this.options;
    try {
      const bytes = await this.collect(timeoutMs);
      if (encoding === "identity") return bytes;
      return await decompress(bytes, bytesMax, Status.INVALID_ARGUMENT);
    } catch (error) {
      if (error instanceof RpcError) this.problem ??= error;
      throw error;
    }
  }

  return(): Promise<unknown> {
    this.options.body.resume();
    return Promise.resolve();
  }

  private collect(timeoutMs: number | undefined): Promise<Uint8Array> {
    const { body, bytesMax, stallMs } = this.options;
    // A body without a byte may have ended before anybody looked.
    if (body.readableEnded) return Promise.resolve(new Uint8Array(0));
    if (body.destroyed) {
      return Promise.reject(new RpcError(Status.CANCELLED, "the caller has gone"));
    }
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let length = 0;
      let hasEnded = false;
      const settle = (): void => {
        clearTimeout(stall);
        clearTimeout(deadline);
        body.off("data", onData);
      };
      const fail = (status: Status, text: string): void => {
        settle();
        reject(new RpcError(status, text, { origin: "local-daemon" }));
      };
      const onData = (chunk: Buffer): void => {
        stall.refresh();
        length += chunk.length;
        if (length <= bytesMax) {
          chunks.push(chunk);
          return;
        }
        settle();
        body.resume();
        reject(tooLarge("more than", bytesMax, bytesMax));
      };
      const stall = setTimeout(() => {
        const text = `the request stands still for ${stallMs} ms; raise body_timeout of the [[ingress]] for clients that are so slow`;
        fail(Status.DEADLINE_EXCEEDED, text);
      }, stallMs);
      const overMs = Math.min(timeoutMs ?? 0x7fffffff, 0x7fffffff);
      const deadline = setTimeout(() => {
        const text = "the time for the call was over before its request was complete";
        fail(Status.DEADLINE_EXCEEDED, text);
      }, overMs);
      body.on("data", onData);
      body.once("end", () => {
        hasEnded = true;
        settle();
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      });
      body.once("close", () => {
        if (!hasEnded) fail(Status.CANCELLED, "the caller has gone");
      });
      body.resume();
    });
  }
}

/** A message that came in the path of the request. */
export function givenMessage(bytes: Uint8Array): RequestMessages {
  return {
    problem: null,
    single: () => Promise.resolve(bytes),
    return: () => Promise.resolve(),
    async *[Symbol.asyncIterator]() {
      yield bytes;
    },
  };
}

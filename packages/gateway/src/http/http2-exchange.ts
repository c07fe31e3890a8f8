/** An exchange over a stream of HTTP/2. */
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { MetadataEntry } from "@koala/mrpc";
import type { Exchange } from "./exchange.ts";

/** How long a peer may go on with its request after the end of the response. */
const restMs = 1000;

// The date is nobody's concern here, and costs what a call does not have. The typings do not know that key.
const withBody = { waitForTrailers: true, sendDate: false };
const withoutBody = { endStream: true, sendDate: false };

export class Http2Exchange implements Exchange {
  readonly isHttp2 = true;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly caller: readonly MetadataEntry[];
  readonly body: ServerHttp2Stream;
  hasResponded = false;
  private readonly controller = new AbortController();
  private hasEnded = false;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    caller: readonly MetadataEntry[],
  ) {
    this.caller = caller;
    this.body = stream;
    this.headers = headers;
    this.method = headers[":method"] ?? "";
    this.path = headers[":path"] ?? "";
    // What is wrong with a stream is seen in its end.
    stream.on("error", () => {});
    stream.once("close", () => {
      if (!this.hasEnded || !stream.writableFinished) this.controller.abort();
    });
    stream.once("aborted", () => this.controller.abort());
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  respond(status: number, headers: OutgoingHttpHeaders): void {
    if (this.hasResponded || this.isGone()) return;
    this.hasResponded = true;
    this.body.respond({ ...headers, ":status": status }, withBody);
  }

  write(bytes: Uint8Array): boolean {
    return this.isGone() || this.body.write(bytes);
  }

  drained(): Promise<void> {
    const { body } = this;
    return new Promise((resolve) => {
      if (this.isGone() || !body.writableNeedDrain) return resolve();
      const done = (): void => {
        body.off("drain", done);
        body.off("close", done);
        resolve();
      };
      body.once("drain", done);
      body.once("close", done);
    });
  }

  /** Head, trailers and end in one frame, for responses without a body. */
  respondAndEnd(status: number, headers: OutgoingHttpHeaders): void {
    if (this.hasResponded || this.isGone()) return;
    this.hasResponded = true;
    this.body.respond({ ...headers, ":status": status }, withoutBody);
    this.finish();
  }

  end(trailers: OutgoingHttpHeaders = {}): void {
    if (this.hasEnded || this.isGone()) return;
    this.body.once("wantTrailers", () => {
      if (!this.isGone()) this.body.sendTrailers(trailers);
    });
    this.body.end();
    this.finish();
  }

  abort(): void {
    if (!this.body.destroyed) this.body.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  private finish(): void {
    this.hasEnded = true;
    const { body } = this;
    if (body.readableEnded) return;
    // Nobody wants the rest of its request. A reset at once would overtake the trailers, so the peer has some time to
    // stop by itself, as it does when it sees them.
    body.resume();
    const timer = setTimeout(() => body.close(constants.NGHTTP2_NO_ERROR), restMs);
    timer.unref();
    body.once("close", () => clearTimeout(timer));
  }

  private isGone(): boolean {
    return this.body.destroyed || this.body.closed;
  }
}

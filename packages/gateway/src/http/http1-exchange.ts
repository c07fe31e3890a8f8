/** An exchange over HTTP/1.1. */
import type {
  IncomingHttpHeaders,
  IncomingMessage,
  OutgoingHttpHeaders,
  ServerResponse,
} from "node:http";
import type { MetadataEntry } from "@koala/mrpc";
import type { Exchange } from "./exchange.ts";

export class Http1Exchange implements Exchange {
  readonly isHttp2 = false;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly caller: readonly MetadataEntry[];
  readonly body: IncomingMessage;
  hasResponded = false;
  private readonly response: ServerResponse;
  private readonly controller = new AbortController();

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    caller: readonly MetadataEntry[],
  ) {
    this.caller = caller;
    this.body = request;
    this.response = response;
    this.method = request.method ?? "";
    this.path = request.url ?? "";
    this.headers = request.headers;
    request.on("error", () => {});
    response.on("error", () => {});
    response.once("close", () => {
      if (!response.writableFinished) this.controller.abort();
    });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  respond(status: number, headers: OutgoingHttpHeaders): void {
    if (this.hasResponded || this.response.destroyed) return;
    this.hasResponded = true;
    // What is left of a request that was not read to its end is not worth to be read for the next one.
    if (!this.body.complete) this.response.shouldKeepAlive = false;
    this.response.writeHead(status, headers);
    this.response.flushHeaders();
  }

  write(bytes: Uint8Array): boolean {
    return this.response.destroyed || this.response.write(bytes);
  }

  drained(): Promise<void> {
    const { response } = this;
    return new Promise((resolve) => {
      if (response.destroyed || !response.writableNeedDrain) return resolve();
      const done = (): void => {
        response.off("drain", done);
        response.off("close", done);
        resolve();
      };
      response.once("drain", done);
      response.once("close", done);
    });
  }

  end(): void {
    if (this.response.destroyed) return;
    this.response.end();
    this.body.resume();
  }

  abort(): void {
    this.response.destroy();
  }
}

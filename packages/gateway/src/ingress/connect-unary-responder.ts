/** Responses of Connect for unary methods: the body is the message, the status of HTTP the outcome. */
import type { OutgoingHttpHeaders } from "node:http";
import { Status } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";
import type { Exchange } from "../http/exchange.ts";
import { headersFrom } from "../http/headers.ts";
import { acceptedEncodings, compress, compressBytesMin, type Encoding } from "./compression.ts";
import { connectError, httpStatusOf } from "./connect-error.ts";
import type { Outcome, Responder } from "./responder.ts";

export interface ConnectUnaryResponderOptions {
  readonly exchange: Exchange;
  readonly contentType: string;
  readonly encoding: Encoding;
  /** Headers that every response has. */
  readonly common: OutgoingHttpHeaders;
}

export class ConnectUnaryResponder implements Responder {
  private readonly options: ConnectUnaryResponderOptions;
  private headers: OutgoingHttpHeaders = {};
  private body: Uint8Array = new Uint8Array(0);
  private isCompressed = false;

  constructor(options: ConnectUnaryResponderOptions) {
    this.options = options;
  }

  header(entries: readonly MetadataEntry[], _now: boolean): void {
    this.headers = headersFrom(entries);
  }

  message(bytes: Uint8Array): Promise<void> | void {
    this.body = bytes;
    if (this.options.encoding === "gzip" && bytes.length >= compressBytesMin) {
      return this.compressed(bytes);
    }
  }

  end(outcome: Outcome): void {
    const trailers = headersFrom(outcome.trailers, "trailer-");
    if (outcome.status === Status.OK) {
      const coding = this.isCompressed ? { "content-encoding": "gzip" } : {};
      this.send(200, { ...trailers, ...coding, "content-type": this.options.contentType });
      return;
    }
    this.body = Buffer.from(JSON.stringify(connectError(outcome)));
    this.send(httpStatusOf(outcome.status), { ...trailers, "content-type": "application/json" });
  }

  private async compressed(bytes: Uint8Array): Promise<void> {
    this.body = await compress(bytes);
    this.isCompressed = true;
  }

  private send(status: number, headers: OutgoingHttpHeaders): void {
    const { exchange, common } = this.options;
    exchange.respond(status, {
      ...common,
      ...this.headers,
      ...headers,
      "accept-encoding": acceptedEncodings,
      "content-length": this.body.length,
    });
    if (this.body.length > 0) exchange.write(this.body);
    exchange.end();
  }
}

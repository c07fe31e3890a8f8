/** Responses of Connect for streams: messages, and at last the outcome as JSON. The status of HTTP is always 200. */
import type { OutgoingHttpHeaders } from "node:http";
import { Status } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";
import type { Exchange } from "../http/exchange.ts";
import { headersFrom } from "../http/headers.ts";
import { acceptedEncodings, compress, compressBytesMin, type Encoding } from "./compression.ts";
import { connectError } from "./connect-error.ts";
import { enveloped } from "./envelope-reader.ts";
import type { Outcome, Responder } from "./responder.ts";

const END_STREAM = 2;

export interface ConnectStreamResponderOptions {
  readonly exchange: Exchange;
  readonly contentType: string;
  readonly encoding: Encoding;
  /** Headers that every response has. */
  readonly common: OutgoingHttpHeaders;
}

export class ConnectStreamResponder implements Responder {
  private readonly options: ConnectStreamResponderOptions;
  private headers: OutgoingHttpHeaders = {};

  constructor(options: ConnectStreamResponderOptions) {
    this.options = options;
  }

  header(entries: readonly MetadataEntry[], now: boolean): void {
    this.headers = headersFrom(entries);
    if (now) this.respond();
  }

  message(bytes: Uint8Array): Promise<void> | void {
    const { encoding } = this.options;
    if (encoding === "gzip" && bytes.length >= compressBytesMin) return this.compressed(bytes);
    return this.send(enveloped(0, bytes));
  }

  end(outcome: Outcome): void {
    const metadata = Object.fromEntries(
      Object.entries(headersFrom(outcome.trailers)).map(([key, value]) => [key, [value].flat()]),
    );
    const end = {
      ...(outcome.status === Status.OK ? {} : { error: connectError(outcome) }),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    };
    this.respond();
    this.options.exchange.write(enveloped(END_STREAM, Buffer.from(JSON.stringify(end))));
    this.options.exchange.end();
  }

  private async compressed(bytes: Uint8Array): Promise<void> {
    await this.send(enveloped(1, await compress(bytes)));
  }

  private send(bytes: Uint8Array): Promise<void> | void {
    const { exchange } = this.options;
    this.respond();
    if (!exchange.write(bytes)) return exchange.drained();
  }

  private respond(): void {
    const { exchange, contentType, encoding, common } = this.options;
    if (exchange.hasResponded) return;
    exchange.respond(200, {
      ...common,
      ...this.headers,
      "content-type": contentType,
      "connect-accept-encoding": acceptedEncodings,
      ...(encoding === "identity" ? {} : { "connect-content-encoding": encoding }),
    });
  }
}

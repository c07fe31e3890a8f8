/** Responses of gRPC-Web: as gRPC's, with the trailers as the last message of the body, and perhaps in base64. */
import type { OutgoingHttpHeaders } from "node:http";
import type { MetadataEntry } from "@koala/protocol";
import type { Exchange } from "../http/exchange.ts";
import { headersFrom } from "../http/headers.ts";
import { acceptedEncodings, compress, compressBytesMin, type Encoding } from "./compression.ts";
import { enveloped } from "./envelope-reader.ts";
import { statusHeaders } from "./grpc-responder.ts";
import type { Outcome, Responder } from "./responder.ts";

const TRAILERS = 0x80;

export interface GrpcWebResponderOptions {
  readonly exchange: Exchange;
  readonly contentType: string;
  readonly encoding: Encoding;
  readonly isText: boolean;
  /** Headers that every response has. */
  readonly common: OutgoingHttpHeaders;
}

export class GrpcWebResponder implements Responder {
  private readonly options: GrpcWebResponderOptions;
  private headers: OutgoingHttpHeaders = {};

  constructor(options: GrpcWebResponderOptions) {
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
    const trailers = { ...headersFrom(outcome.trailers), ...statusHeaders(outcome) };
    const lines = Object.entries(trailers).flatMap(([key, value]) =>
      [value].flat().map((one) => `${key}: ${one}\r\n`),
    );
    this.respond();
    this.write(enveloped(TRAILERS, Buffer.from(lines.join(""))));
    this.options.exchange.end();
  }

  private async compressed(bytes: Uint8Array): Promise<void> {
    await this.send(enveloped(1, await compress(bytes)));
  }

  private send(bytes: Uint8Array): Promise<void> | void {
    this.respond();
    if (!this.write(bytes)) return this.options.exchange.drained();
  }

  private write(bytes: Buffer | Uint8Array): boolean {
    const { exchange, isText } = this.options;
    if (!isText) return exchange.write(bytes);
    return exchange.write(Buffer.from(Buffer.from(bytes).toString("base64")));
  }

  private respond(): void {
    const { exchange, contentType, encoding, common } = this.options;
    if (exchange.hasResponded) return;
    exchange.respond(200, {
      ...common,
      ...this.headers,
      "content-type": contentType,
      "grpc-accept-encoding": acceptedEncodings,
      ...(encoding === "identity" ? {} : { "grpc-encoding": encoding }),
    });
  }
}

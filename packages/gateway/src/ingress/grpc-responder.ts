/** Responses of gRPC: messages in the body, the outcome in the trailers. */
import type { OutgoingHttpHeaders } from "node:http";
import type { MetadataEntry } from "@koala/protocol";
import { headersFrom } from "../http/headers.ts";
import type { Http2Exchange } from "../http/http2-exchange.ts";
import { acceptedEncodings, compress, compressBytesMin, type Encoding } from "./compression.ts";
import { enveloped } from "./envelope-reader.ts";
import type { Outcome, Responder } from "./responder.ts";
import { encodeStatusMessage } from "./status-message.ts";

export class GrpcResponder implements Responder {
  private readonly exchange: Http2Exchange;
  private readonly contentType: string;
  private readonly encoding: Encoding;
  private headers: OutgoingHttpHeaders = {};

  constructor(exchange: Http2Exchange, contentType: string, encoding: Encoding) {
    this.exchange = exchange;
    this.contentType = contentType;
    this.encoding = encoding;
  }

  header(entries: readonly MetadataEntry[], now: boolean): void {
    this.headers = headersFrom(entries);
    if (now) this.exchange.respond(200, this.head());
  }

  message(bytes: Uint8Array): Promise<void> | void {
    if (this.encoding === "gzip" && bytes.length >= compressBytesMin) return this.compressed(bytes);
    return this.send(enveloped(0, bytes));
  }

  end(outcome: Outcome): void {
    const trailers = { ...headersFrom(outcome.trailers), ...statusHeaders(outcome) };
    const { exchange } = this;
    if (exchange.hasResponded) exchange.end(trailers);
    // A response that is nothing but its outcome is one frame.
    else exchange.respondAndEnd(200, { ...this.head(), ...trailers });
  }

  private async compressed(bytes: Uint8Array): Promise<void> {
    await this.send(enveloped(1, await compress(bytes)));
  }

  private send(bytes: Uint8Array): Promise<void> | void {
    const { exchange } = this;
    if (!exchange.hasResponded) exchange.respond(200, this.head());
    if (!exchange.write(bytes)) return exchange.drained();
  }

  private head(): OutgoingHttpHeaders {
    return {
      ...this.headers,
      "content-type": this.contentType,
      "grpc-accept-encoding": acceptedEncodings,
      ...(this.encoding === "identity" ? {} : { "grpc-encoding": this.encoding }),
    };
  }
}

/** The outcome as gRPC's headers. */
export function statusHeaders({ status, message, details }: Outcome): Record<string, string> {
  const headers: Record<string, string> = { "grpc-status": String(status) };
  if (message !== "") headers["grpc-message"] = encodeStatusMessage(message);
  if (details.length > 0) {
    headers["grpc-status-details-bin"] = Buffer.from(details)
      .toString("base64")
      .replaceAll("=", "");
  }
  return headers;
}

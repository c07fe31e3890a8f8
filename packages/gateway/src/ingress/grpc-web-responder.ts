/** Responses of gRPC-Web: as gRPC's, with the trailers as the last message of the body, and perhaps in base64. */
import type { MetadataEntry } from "@koala/protocol";
import { headersFrom } from "../http/headers.ts";
import { EnvelopedBody, type EnvelopedBodyOptions } from "./enveloped-body.ts";
import { statusHeaders } from "./grpc-responder.ts";
import type { Outcome, Responder } from "./responder.ts";

const TRAILERS = 0x80;

export class GrpcWebResponder implements Responder {
  private readonly body: EnvelopedBody;

  constructor(options: EnvelopedBodyOptions) {
    this.body = new EnvelopedBody(options, "grpc-accept-encoding", "grpc-encoding");
  }

  header(entries: readonly MetadataEntry[], now: boolean): void {
    this.body.header(entries, now);
  }

  message(bytes: Uint8Array): Promise<void> | void {
    return this.body.message(bytes);
  }

  end(outcome: Outcome): void {
    const trailers = { ...headersFrom(outcome.trailers), ...statusHeaders(outcome) };
    const lines = Object.entries(trailers).flatMap(([key, value]) =>
      [value].flat().map((one) => `${key}: ${one}\r\n`),
    );
    this.body.end(TRAILERS, Buffer.from(lines.join("")));
  }
}

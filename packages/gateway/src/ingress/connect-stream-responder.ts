/** Responses of Connect for streams: messages, and at last the outcome as JSON. The status of HTTP is always 200. */
import { Status } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";
import { headersFrom } from "../http/headers.ts";
import { connectError } from "./connect-error.ts";
import { EnvelopedBody, type EnvelopedBodyOptions } from "./enveloped-body.ts";
import type { Outcome, Responder } from "./responder.ts";

const END_STREAM = 2;

export class ConnectStreamResponder implements Responder {
  private readonly body: EnvelopedBody;

  constructor(options: EnvelopedBodyOptions) {
    this.body = new EnvelopedBody(options, "connect-accept-encoding", "connect-content-encoding");
  }

  header(entries: readonly MetadataEntry[], now: boolean): void {
    this.body.header(entries, now);
  }

  message(bytes: Uint8Array): Promise<void> | void {
    return this.body.message(bytes);
  }

  end(outcome: Outcome): void {
    const metadata = Object.fromEntries(
      Object.entries(headersFrom(outcome.trailers)).map(([key, value]) => [key, [value].flat()]),
    );
    const end = {
      ...(outcome.status === Status.OK ? {} : { error: connectError(outcome) }),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    };
    this.body.end(END_STREAM, Buffer.from(JSON.stringify(end)));
  }
}

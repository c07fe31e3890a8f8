/** A response whose body is messages in envelopes, as gRPC-Web and Connect's streams have it. */
import type { OutgoingHttpHeaders } from "node:http";
import type { MetadataEntry } from "@koala/protocol";
import type { Exchange } from "../http/exchange.ts";
import { headersFrom } from "../http/headers.ts";
import { acceptedEncodings, compress, compressBytesMin, type Encoding } from "./compression.ts";
import { enveloped } from "./envelope-reader.ts";

export interface EnvelopedBodyOptions {
  readonly exchange: Exchange;
  readonly contentType: string;
  readonly encoding: Encoding;
  /** Whether the body is in base64. */
  readonly isText?: boolean;
  /** Headers that every response has. */
  readonly common: OutgoingHttpHeaders;
}

export class EnvelopedBody {
  private readonly options: EnvelopedBodyOptions;
  private readonly acceptHeader: string;
  private readonly encodingHeader: string;
  private headers: OutgoingHttpHeaders = {};

  constructor(options: EnvelopedBodyOptions, acceptHeader: string, encodingHeader: string) {
    this.options = options;
    this.acceptHeader = acceptHeader;
    this.encodingHeader = encodingHeader;
  }

  header(entries: readonly MetadataEntry[], now: boolean): void {
    this.headers = headersFrom(entries);
    if (now) this.respond();
  }

  /** Sends a message; resolves when there is room for the next one. */
  message(bytes: Uint8Array): Promise<void> | void {
    const { encoding } = this.options;
    if (encoding === "gzip" && bytes.length >= compressBytesMin) return this.compressed(bytes);
    return this.send(enveloped(0, bytes));
  }

  /** Sends the last envelope, which is none of a message. */
  end(flags: number, bytes: Uint8Array): void {
    this.respond();
    this.write(enveloped(flags, bytes));
    this.options.exchange.end();
  }

  private async compressed(bytes: Uint8Array): Promise<void> {
    await this.send(enveloped(1, await compress(bytes)));
  }

  private send(bytes: Uint8Array): Promise<void> | void {
    this.respond();
    if (!this.write(bytes)) return this.options.exchange.drained();
  }

  private write(bytes: Uint8Array): boolean {
    const { exchange, isText } = this.options;
    if (isText !== true) return exchange.write(bytes);
    return exchange.write(Buffer.from(Buffer.from(bytes).toString("base64")));
  }

  private respond(): void {
    const { exchange, contentType, encoding, common } = this.options;
    if (exchange.hasResponded) return;
    exchange.respond(200, {
      ...common,
      ...this.headers,
      "content-type": contentType,
      [this.acceptHeader]: acceptedEncodings,
      ...(encoding === "identity" ? {} : { [this.encodingHeader]: encoding }),
    });
  }
}

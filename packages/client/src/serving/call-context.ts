/** The part of a handler's context that is made when it is asked for, and costs nothing before. */
import { Status } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";
import { valueError } from "../errors/rpc-error.ts";
import { entriesOf, headersOf } from "../headers/header-fields.ts";
import { formatTrace, parseTrace } from "../headers/trace-parent.ts";
import { type ContextValues, createContextValues } from "../interceptors/context-values.ts";

/** Of calls without; shared. */
export const noEntries: readonly MetadataEntry[] = [];

interface Extras {
  requestHeader: Headers | null;
  responseHeader: Headers | null;
  responseTrailer: Headers | null;
  values: ContextValues | null;
}

export abstract class CallContext {
  readonly metadata: readonly MetadataEntry[];
  responseHeaderMetadata: readonly MetadataEntry[] = noEntries;
  responseMetadata: readonly MetadataEntry[] = noEntries;
  /** The 32 bytes of the call's trace context, when it came with one. */
  protected readonly trace: Uint8Array | null;
  protected isHeaderSent = false;
  private extras: Extras | null = null;

  constructor(metadata: readonly MetadataEntry[], trace: Uint8Array | null) {
    this.metadata = metadata;
    this.trace = trace;
  }

  get requestHeader(): Headers {
    const extras = this.openExtras();
    extras.requestHeader ??= headersOf(this.metadata);
    return extras.requestHeader;
  }

  /** Interceptors may give the handler others. */
  set requestHeader(headers: Headers) {
    this.openExtras().requestHeader = headers;
  }

  get responseHeader(): Headers {
    const extras = this.openExtras();
    extras.responseHeader ??= new Headers();
    return extras.responseHeader;
  }

  set responseHeader(headers: Headers) {
    this.openExtras().responseHeader = headers;
  }

  get responseTrailer(): Headers {
    const extras = this.openExtras();
    extras.responseTrailer ??= new Headers();
    return extras.responseTrailer;
  }

  set responseTrailer(headers: Headers) {
    this.openExtras().responseTrailer = headers;
  }

  get values(): ContextValues {
    const extras = this.openExtras();
    extras.values ??= createContextValues();
    return extras.values;
  }

  set values(values: ContextValues) {
    this.openExtras().values = values;
  }

  get traceparent(): string | undefined {
    if (this.trace !== null) return formatTrace(this.trace, 0);
    const text = this.metadata.find(([key]) => key === "traceparent")?.[1];
    return typeof text === "string" && parseTrace(text) !== undefined ? text : undefined;
  }

  /** Whether there may be headers that have not gone. */
  protected hasHeader(): boolean {
    if (this.isHeaderSent) return false;
    if (this.responseHeaderMetadata.length !== 0) return true;
    return this.extras !== null && this.extras.responseHeader !== null;
  }

  /** All headers of the response. Throws an `RpcError` for a `-bin` value that is no base64. */
  protected headerEntries(): readonly MetadataEntry[] {
    const headers = this.extras?.responseHeader ?? null;
    return merged("response headers", this.responseHeaderMetadata, headers);
  }

  /** All trailers. Throws as {@link headerEntries}. */
  protected trailerEntries(): readonly MetadataEntry[] {
    const headers = this.extras?.responseTrailer ?? null;
    return merged("response trailers", this.responseMetadata, headers);
  }

  private openExtras(): Extras {
    this.extras ??= {
      requestHeader: null,
      responseHeader: null,
      responseTrailer: null,
      values: null,
    };
    return this.extras;
  }
}

function merged(
  what: string,
  entries: readonly MetadataEntry[],
  headers: Headers | null,
): readonly MetadataEntry[] {
  if (headers === null) return entries;
  let more: MetadataEntry[];
  try {
    more = entriesOf(headers);
  } catch (cause) {
    throw valueError(Status.INTERNAL, what, cause);
  }
  return more.length === 0 ? entries : [...entries, ...more];
}

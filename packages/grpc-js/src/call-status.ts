/** How calls end, in the words of grpc-js and in those of the mesh. */
import {
  Metadata,
  type ServerErrorResponse,
  type ServerInterceptingCallInterface,
  type StatusObject,
} from "@grpc/grpc-js";
import { messageOf, Status, statusFrom } from "@koala/interface";
import { type MetadataEntry, RpcError } from "@koala/mrpc";
import { bufferOf, detailsKey, entriesOfMetadata, metadataOfEntries } from "./grpc-metadata.ts";

/** What a server says of the end of a call. */
export type PartialStatus = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** The status of a call that went well. */
export function okStatus(trailers: readonly MetadataEntry[]): StatusObject {
  return { code: Status.OK, details: "OK", metadata: metadataOfEntries(trailers) };
}

/**
 * The status of a call that did not: details as other clients of gRPC find them, and in `koala-origin` who has
 * decided, unless it was the handler.
 */
export function statusOfError(error: unknown): StatusObject {
  if (!(error instanceof RpcError)) {
    return { code: Status.INTERNAL, details: messageOf(error), metadata: new Metadata() };
  }
  const metadata = metadataOfEntries(error.metadata);
  if (error.details.length > 0) metadata.set(detailsKey, bufferOf(error.details));
  if (error.origin !== "remote-app") metadata.set("koala-origin", error.origin);
  return { code: error.status, details: error.reason, metadata };
}

/** The error that ends a call with this status, which is not OK. */
export function errorOfStatus({ code, details, metadata }: PartialStatus): RpcError {
  const entries = metadata == null ? [] : entriesOfMetadata(metadata);
  const detail = entries.find(([key]) => key === detailsKey)?.[1];
  return new RpcError(statusFrom(code), details, {
    metadata: entries.filter(([key]) => key !== detailsKey),
    ...(detail instanceof Uint8Array && { details: detail }),
  });
}

/** What a handler's error means for the caller; its own `code` and `details` count when they are there. */
export function statusOfHandlerError(
  error: ServerErrorResponse | Partial<StatusObject>,
  trailers?: Metadata,
): PartialStatus {
  const status: PartialStatus = {
    code: Status.UNKNOWN,
    details: "message" in error ? error.message : "Unknown Error",
    metadata: trailers ?? error.metadata ?? null,
  };
  const { code, details } = error;
  if (typeof code !== "number" || !Number.isInteger(code)) return status;
  status.code = code;
  if (typeof details === "string") status.details = details;
  return status;
}

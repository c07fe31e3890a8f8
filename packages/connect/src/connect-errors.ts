/** Errors of the two libraries into each other. Codes have the numbers of gRPC in both. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { isRpcError, KoalaError, RpcError, Status } from "@koala/mrpc";
import { StatusSchema } from "@koala/mrpc/google-rpc";
import { entriesOf, headersOf, type MetadataEntry } from "@koala/mrpc/raw";

const typeUrlPrefix = "type.googleapis.com/";

/**
 * What a call failed with, as a `ConnectError`: the trailers are its metadata, and its cause is the `RpcError`, which
 * knows who decided. `header`: the headers of the response, which belong to the metadata, too.
 */
export function connectErrorFrom(error: unknown, header?: Headers | null): ConnectError {
  if (error instanceof ConnectError) return error;
  if (isRpcError(error)) return fromRpcError(error, header ?? null);
  if (error instanceof KoalaError)
    return new ConnectError(error.message, codeOf(error), undefined, undefined, error);
  return ConnectError.from(error, Code.Internal);
}

function fromRpcError(error: RpcError, header: Headers | null): ConnectError {
  // What the caller's own requests threw comes back to the caller.
  if (error.status === Status.CANCELLED && error.cause instanceof ConnectError) return error.cause;
  const metadata = headersOf(error.metadata);
  if (header !== null) for (const [key, value] of header) metadata.append(key, value);
  const converted = new ConnectError(
    error.reason,
    error.status as number,
    metadata,
    undefined,
    error,
  );
  converted.details = incomingDetails(error.details);
  return converted;
}

/** Why there is no call at all. */
function codeOf({ code }: KoalaError): Code {
  return code === "ERR_CLIENT_TARGET" ? Code.InvalidArgument : Code.Internal;
}

/** None for bytes that are no `google.rpc.Status`: those are in the cause. */
function incomingDetails(bytes: Uint8Array): ConnectError["details"] {
  if (bytes.length === 0) return [];
  try {
    return fromBinary(StatusSchema, bytes).details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
      value,
    }));
  } catch {
    return [];
  }
}

/**
 * What a handler threw, as its caller gets it. As on every server of connect-es, callers are not told the text of
 * what is no `ConnectError`. An `RpcError` of a call that the handler made stays what it is.
 */
export function rpcErrorFrom(error: unknown): RpcError {
  if (error instanceof ConnectError) {
    return new RpcError(error.code as number as Status, error.rawMessage, {
      details: outgoingDetails(error),
      metadata: trailersOf(error.metadata),
      cause: error,
    });
  }
  if (isRpcError(error)) return error;
  return new RpcError(Status.INTERNAL, "internal error", { cause: error });
}

function outgoingDetails({ code, rawMessage, details }: ConnectError): Uint8Array {
  if (details.length === 0) return new Uint8Array(0);
  const packed = details.map((detail): Any => {
    if ("desc" in detail) return anyPack(detail.desc, create(detail.desc, detail.value));
    const { type, value } = detail;
    return create(AnySchema, { typeUrl: `${typeUrlPrefix}${type}`, value });
  });
  const status = { code: code as number, message: rawMessage, details: packed };
  return toBinary(StatusSchema, create(StatusSchema, status));
}

function trailersOf(headers: Headers): MetadataEntry[] {
  try {
    return entriesOf(headers);
  } catch {
    // A binary value that is no base64. The status matters more.
    return [];
  }
}

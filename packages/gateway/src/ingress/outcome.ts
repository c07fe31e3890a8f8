/** What an error means for the caller at the edge. */
import { messageOf, Status } from "@koala/interface";
import { type MetadataEntry, RpcError } from "@koala/mrpc";
import type { Outcome } from "./responder.ts";

const noBytes = new Uint8Array(0);

/** A call that went well. */
export function succeeded(trailers: readonly MetadataEntry[]): Outcome {
  return { status: Status.OK, message: "", details: noBytes, trailers };
}

/** A call that did not; `trailers` are what came before the error was known. */
export function failed(error: unknown, trailers: readonly MetadataEntry[]): Outcome {
  if (!(error instanceof RpcError)) {
    // Nobody else's fault: nothing but an RpcError comes out of a call.
    const message = `the gateway failed: ${messageOf(error)}`;
    return { status: Status.INTERNAL, message, details: noBytes, trailers };
  }
  const { status, reason, details, metadata, origin } = error;
  const own = metadata.length > 0 ? metadata : trailers;
  return {
    status,
    message: reason,
    details,
    // Where to look: an app's own error is no news.
    trailers: origin === "remote-app" ? own : [...own, ["koala-origin", originOf(error)]],
  };
}

/** The gateway is an app to the daemon, but what it decides is the mesh's word to its callers. */
function originOf({ origin }: RpcError): string {
  return origin === "app" ? "gateway" : origin;
}

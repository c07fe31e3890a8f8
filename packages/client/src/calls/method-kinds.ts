/** Which directions of a method are streams. */
import type { MethodKind } from "@koala/schema";

/** Whether callers send a stream of messages. */
export function takesStream(kind: MethodKind): boolean {
  return kind === "client_streaming" || kind === "bidi_streaming";
}

/** Whether handlers return a stream of messages. */
export function returnsStream(kind: MethodKind): boolean {
  return kind === "server_streaming" || kind === "bidi_streaming";
}

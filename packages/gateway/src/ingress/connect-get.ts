/** Connect's GET: a call without side effects whose request is in the query, so that it can be cached. */
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import { type Encoding, encodingFrom } from "./compression.ts";

export interface GetRequest {
  readonly codec: "proto" | "json";
  readonly encoding: Encoding;
  readonly message: Uint8Array;
}

/** The request in a query. Throws an `RpcError`. */
export function getRequestOf(query: URLSearchParams): GetRequest {
  const codec = query.get("encoding") ?? "";
  if (codec !== "proto" && codec !== "json") {
    throw malformed(`encoding ${JSON.stringify(codec.slice(0, 40))}, expected proto or json`);
  }
  const text = query.get("message");
  if (text === null) throw malformed("no message");
  const encoding = encodingFrom(query.get("compression") ?? undefined);
  if (query.get("base64") !== "1") return { codec, encoding, message: Buffer.from(text) };
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw malformed("a message that is no base64");
  return { codec, encoding, message: Buffer.from(text, "base64") };
}

function malformed(found: string): RpcError {
  return new RpcError(Status.INVALID_ARGUMENT, `the query of the call has ${found}`);
}

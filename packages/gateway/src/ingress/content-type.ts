/** Which protocol a request speaks, by its content type. */

/** The protocols of the edge; those with streams of messages put a head in front of each. */
export type EdgeProtocol =
  | "grpc"
  | "grpc-web"
  | "grpc-web-text"
  | "connect-unary"
  | "connect-stream";

export interface ContentType {
  readonly protocol: EdgeProtocol;
  readonly codec: "proto" | "json";
  /** What responses say, in the same words as the request. */
  readonly echoed: string;
}

const pattern =
  /^(application\/(grpc-web-text|grpc-web|grpc|connect\+(?:proto|json)|proto|json)(\+(?:proto|json))?)\s*(?:;.*)?$/i;

/** The protocol; undefined for a type that none of them has. */
export function contentTypeOf(text: string | undefined): ContentType | undefined {
  const match = pattern.exec(text ?? "");
  if (match === null) return undefined;
  const echoed = match[1]!.toLowerCase();
  const name = match[2]!.toLowerCase();
  const suffix = match[3]?.toLowerCase();
  if (name === "grpc" || name === "grpc-web" || name === "grpc-web-text") {
    return { protocol: name, codec: suffix === "+json" ? "json" : "proto", echoed };
  }
  if (suffix !== undefined) return undefined;
  const codec = name.endsWith("json") ? "json" : "proto";
  return {
    protocol: name.startsWith("connect") ? "connect-stream" : "connect-unary",
    codec,
    echoed,
  };
}

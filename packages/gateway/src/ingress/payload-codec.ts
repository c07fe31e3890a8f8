/** What the messages of a request are written in: protobuf, which is passed on as it is, or JSON. */
import {
  type DescMethod,
  fromBinary,
  fromJsonString,
  type Registry,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { messageOf, Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";

export interface PayloadCodec {
  /** Whether both functions give back what they take. */
  readonly isIdentity: boolean;
  /** Protobuf's bytes of a message of the request. Throws INVALID_ARGUMENT for what is no message. */
  request(bytes: Uint8Array): Uint8Array;
  /** A message of the response, as the caller wants it. */
  response(bytes: Uint8Array): Uint8Array;
}

/** The codec for callers who speak protobuf. */
export const protobufPayload: PayloadCodec = {
  isIdentity: true,
  request: (bytes) => bytes,
  response: (bytes) => bytes,
};

/** The codec for callers who speak JSON, as protobuf maps it. */
export function jsonPayload(method: DescMethod, registry: Registry): PayloadCodec {
  return {
    isIdentity: false,
    request(bytes) {
      try {
        // An empty body is an empty message, as in Connect's GET without a message.
        const text = bytes.length === 0 ? "{}" : decodeUtf8(bytes);
        const message = fromJsonString(method.input, text, { registry, ignoreUnknownFields: true });
        return toBinary(method.input, message);
      } catch (cause) {
        const what = `${method.parent.typeName}/${method.name}: the request is no JSON of ${method.input.typeName}`;
        const text = `${what}: ${messageOf(cause)}`;
        throw new RpcError(Status.INVALID_ARGUMENT, text, { cause });
      }
    },
    response(bytes) {
      try {
        const message = fromBinary(method.output, bytes);
        return Buffer.from(toJsonString(method.output, message, { registry }));
      } catch (cause) {
        const what = `${method.parent.typeName}/${method.name}: the response has no JSON`;
        throw new RpcError(Status.INTERNAL, `${what}: ${messageOf(cause)}`, { cause });
      }
    },
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

/** protobuf-es messages over grpc-js, which knows nothing of them. */
import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";

/** A method as grpc-js wants it described, with the codec that a TypeScript team has. */
export function grpcMethod<I extends DescMessage, O extends DescMessage>({
  parent,
  name,
  input,
  output,
  methodKind,
}: DescMethod & { input: I; output: O }): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (message) => bufferOf(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => bufferOf(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

/** Messages of any size, both ways. */
export const grpcOptions: Readonly<Record<string, number>> = {
  "grpc.max_send_message_length": -1,
  "grpc.max_receive_message_length": -1,
};

/** The same bytes, not copied. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

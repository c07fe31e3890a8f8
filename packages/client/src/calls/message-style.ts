/**
 * In which style an app gives and takes messages: as objects of protobuf-es, or as bytes in protobuf's
 * encoding. All else about calls is the same.
 */
import type { DescMessage } from "@bufbuild/protobuf";
import { KoalaError } from "@koala/interface";
import { codecFor, type MessageCodec, protobufCodecOf } from "@koala/schema";
import { type Completer, completerFor } from "./message-init.ts";

/** How messages of a type are written and read. */
export interface MessageStyle {
  codec(desc: DescMessage): MessageCodec;
  /** Makes of what a user gives what the codec writes. */
  completer(desc: DescMessage): Completer;
}

export const objectStyle: MessageStyle = {
  codec: codecFor,
  completer: completerFor,
};

export const protobufStyle: MessageStyle = {
  codec: (desc) => protobufCodecOf(codecFor(desc)),
  completer: (desc) => (message) => {
    if (message instanceof Uint8Array) return message;
    throw new KoalaError(
      "ERR_MESSAGE_VALUE",
      `expected a message ${desc.typeName} in protobuf's encoding, a Uint8Array, found ${typeof message}`,
    );
  },
};

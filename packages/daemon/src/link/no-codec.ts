/** The codec of a frame without a message: nobody asks it for anything. */
import type { MessageCodec } from "@koala/schema";

export const noCodec: MessageCodec = {
  typeName: "",
  hash: "",
  rootBytes: 0,
  write: () => 0,
  read: () => undefined,
  view: () => undefined,
  validate: () => 0,
};

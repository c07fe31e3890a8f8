/** From what users may give (any part of a message) to the whole message that the writer takes. */
import { create, type DescMessage } from "@bufbuild/protobuf";

/** Makes a whole message; one that is whole already stays itself. */
export type Completer = (init: unknown) => unknown;

/** The completer of a message type. */
export function completerFor(desc: DescMessage): Completer {
  return (init) => create(desc, init as Record<string, unknown>);
}

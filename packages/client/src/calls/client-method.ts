/** What calls of one method share. */
import type { DescMethod } from "@bufbuild/protobuf";
import type { MessageCodec, MethodSchema } from "@koala/schema";
import { SizeGuess } from "../memory/size-guess.ts";
import type { ServiceBinding } from "../mesh/service-binding.ts";
import type { Completer } from "./message-init.ts";
import { type MessageStyle, objectStyle } from "./message-style.ts";

export class ClientMethod {
  readonly binding: ServiceBinding;
  readonly schema: MethodSchema;
  /** `geo.v1.Geo/Nearest`, for messages. */
  readonly name: string;
  readonly complete: Completer;
  readonly input: MessageCodec;
  readonly output: MessageCodec;
  readonly guess: SizeGuess = new SizeGuess();

  constructor(
    binding: ServiceBinding,
    desc: DescMethod,
    schema: MethodSchema,
    style: MessageStyle = objectStyle,
  ) {
    this.binding = binding;
    this.schema = schema;
    this.name = `${desc.parent.typeName}/${desc.name}`;
    this.complete = style.completer(desc.input);
    this.input = style.codec(desc.input);
    this.output = style.codec(desc.output);
  }
}

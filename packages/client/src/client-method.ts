/** What calls of one method share. */
import type { DescMethod } from "@bufbuild/protobuf";
import type { MessageCodec, MethodSchema } from "@koala/schema";
import { type Completer, completerFor } from "./message-init.ts";
import type { ServiceBinding } from "./service-binding.ts";
import { SizeGuess } from "./size-guess.ts";

export class ClientMethod {
  readonly binding: ServiceBinding;
  readonly schema: MethodSchema;
  /** `geo.v1.Geo/Nearest`, for messages. */
  readonly name: string;
  readonly complete: Completer;
  /** How requests are written and replies read: as messages, or in another form of them. */
  readonly input: MessageCodec;
  readonly output: MessageCodec;
  readonly guess: SizeGuess = new SizeGuess();

  constructor(binding: ServiceBinding, desc: DescMethod, schema: MethodSchema) {
    this.binding = binding;
    this.schema = schema;
    this.name = `${desc.parent.typeName}/${desc.name}`;
    this.complete = completerFor(desc.input);
    this.input = schema.input;
    this.output = schema.output;
  }
}

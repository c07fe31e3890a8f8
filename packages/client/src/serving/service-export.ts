/** A service as one server offers it: its methods by the index that slots carry. */
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { KoalaError } from "@koala/interface";
import {
  type MessageCodec,
  type MethodSchema,
  type ServiceSchema,
  serviceSchemaOf,
} from "@koala/schema";
import type { Completer } from "../calls/message-init.ts";
import { type MessageStyle, objectStyle } from "../calls/message-style.ts";
import type { Interceptor } from "../interceptors/interceptor.ts";
import { interceptedHandler } from "../interceptors/server-interception.ts";
import { SizeGuess } from "../memory/size-guess.ts";
import type { HandlerContext } from "./handler-context.ts";
import type { HandlerGate } from "./handler-gate.ts";

/** One object with a function a method. Methods that are left out answer UNIMPLEMENTED. */
export type ServiceImpl<Service extends DescService> = {
  [Name in keyof Service["method"]]?: MethodImpl<Service["method"][Name]>;
};

/** The handler of a method. Streams are iterables: what a handler returns as one may be an async generator. */
export type MethodImpl<Method extends DescMethod> =
  Method extends DescMethodUnary<infer Input, infer Output>
    ? (
        request: MessageShape<Input>,
        context: HandlerContext,
      ) => MessageInitShape<Output> | Promise<MessageInitShape<Output>>
    : Method extends DescMethodServerStreaming<infer Input, infer Output>
      ? (request: MessageShape<Input>, context: HandlerContext) => Responses<Output>
      : Method extends DescMethodClientStreaming<infer Input, infer Output>
        ? (
            requests: AsyncIterable<MessageShape<Input>>,
            context: HandlerContext,
          ) => MessageInitShape<Output> | Promise<MessageInitShape<Output>>
        : Method extends DescMethodBiDiStreaming<infer Input, infer Output>
          ? (
              requests: AsyncIterable<MessageShape<Input>>,
              context: HandlerContext,
            ) => Responses<Output>
          : never;

/** What a handler of a method that returns a stream gives. */
export type Responses<Output extends DescMessage> =
  | AsyncIterable<MessageInitShape<Output>>
  | Iterable<MessageInitShape<Output>>;

/** How requests reach the handlers of a service. */
export interface ServiceOptions {
  /**
   * Handlers get views of shared memory instead of copies: same type, read on access. A view must not be
   * written to, and is valid until the handler has ended, or with `context.hold()` until `release`.
   */
  view?: boolean;
}

/** What the library knows besides. */
export interface ExportOptions extends ServiceOptions {
  /** What requests and results are in JavaScript; messages when not given. */
  style?: MessageStyle;
  /** Around the handlers. */
  interceptors?: readonly Interceptor[];
  /** How many handlers run at once; null for as many as there are calls. */
  gate?: HandlerGate | null;
}

/** A handler with everything that its calls share. */
export type Handler = (request: unknown, context: HandlerContext) => unknown;

export class ServerMethod {
  readonly schema: MethodSchema;
  readonly service: string;
  /** Undefined: nobody has implemented it. */
  readonly handler: Handler | undefined;
  readonly view: boolean;
  readonly complete: Completer;
  readonly input: MessageCodec;
  readonly output: MessageCodec;
  readonly guess: SizeGuess = new SizeGuess();

  constructor(
    schema: MethodSchema,
    service: string,
    handler: Handler | undefined,
    view: boolean,
    style: MessageStyle,
  ) {
    const { input, output } = schema.desc;
    this.schema = schema;
    this.service = service;
    this.handler = handler;
    this.view = view;
    this.complete = style.completer(output);
    this.input = style.codec(input);
    this.output = style.codec(output);
  }
}

export class ServiceExport {
  readonly name: string;
  readonly schema: ServiceSchema;
  readonly methods: readonly ServerMethod[];

  constructor(
    name: string,
    desc: DescService,
    impl: Readonly<Record<string, unknown>>,
    options: ExportOptions,
  ) {
    const { style = objectStyle, interceptors = [], gate = null } = options;
    this.name = name;
    this.schema = serviceSchemaOf(desc);
    this.methods = desc.methods.map((method, index) => {
      const handler = impl[method.localName];
      if (handler !== undefined && typeof handler !== "function") {
        throw new KoalaError(
          "ERR_SERVE_HANDLER",
          `${desc.typeName}.${method.localName}: expected a function, found ${typeof handler}`,
        );
      }
      return new ServerMethod(
        this.schema.methods[index]!,
        desc.typeName,
        handler === undefined
          ? undefined
          : wrapped(method, handler.bind(impl) as Handler, interceptors, gate),
        options.view === true,
        style,
      );
    });
  }
}

function wrapped(
  desc: DescMethod,
  handler: Handler,
  interceptors: readonly Interceptor[],
  gate: HandlerGate | null,
): Handler {
  const inner =
    interceptors.length === 0 ? handler : interceptedHandler(desc, handler, interceptors);
  return gate === null ? inner : gate.guard(desc.methodKind, inner);
}

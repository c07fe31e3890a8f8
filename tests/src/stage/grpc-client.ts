/** A client of grpc-js for descriptors of protobuf-es: what others use, against what we serve. */
import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { Ending } from "@koala/testing";
import { atEnd } from "./cluster.ts";

/** Everything that a call with one response came to. */
export interface GrpcOutcome<Reply> {
  readonly code: grpc.status;
  readonly details: string;
  /** Undefined when the call has failed. */
  readonly reply: Reply | undefined;
  readonly header: grpc.Metadata;
  readonly trailer: grpc.Metadata;
}

export class GrpcClient {
  readonly client: grpc.Client;

  constructor(
    test: Ending,
    address: string,
    options: grpc.ClientOptions = {},
    credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure(),
  ) {
    this.client = new grpc.Client(address, credentials, options);
    atEnd(test, () => this.client.close());
  }

  /** Does not reject: an error is an outcome. */
  unary<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    metadata: grpc.Metadata = new grpc.Metadata(),
    options: grpc.CallOptions = {},
  ): Promise<GrpcOutcome<MessageShape<Method["output"]>>> {
    return new Promise((resolve) => {
      let reply: MessageShape<Method["output"]> | undefined;
      let header = new grpc.Metadata();
      const call = this.client.makeUnaryRequest(
        pathOf(method),
        writerOf(method),
        readerOf(method),
        create(method.input, request),
        metadata,
        options,
        (_error, value) => {
          reply = value as MessageShape<Method["output"]> | undefined;
        },
      );
      call.on("metadata", (received) => {
        header = received;
      });
      call.on("status", ({ code, details, metadata: trailer }) => {
        // The callback comes with the status.
        setImmediate(() => resolve({ code, details, reply, header, trailer }));
      });
    });
  }

  serverStream<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    options: grpc.CallOptions = {},
  ): grpc.ClientReadableStream<MessageShape<Method["output"]>> {
    const message = create(method.input, request);
    return this.client.makeServerStreamRequest(
      pathOf(method),
      writerOf(method),
      readerOf(method),
      message,
      new grpc.Metadata(),
      options,
    ) as grpc.ClientReadableStream<MessageShape<Method["output"]>>;
  }

  clientStream<Method extends DescMethod>(
    method: Method,
    onReply: (error: grpc.ServiceError | null, reply?: MessageShape<Method["output"]>) => void,
    options: grpc.CallOptions = {},
  ): grpc.ClientWritableStream<MessageShape<Method["input"]>> {
    return this.client.makeClientStreamRequest(
      pathOf(method),
      writerOf(method),
      readerOf(method),
      new grpc.Metadata(),
      options,
      (error, reply) => onReply(error, reply as MessageShape<Method["output"]> | undefined),
    ) as grpc.ClientWritableStream<MessageShape<Method["input"]>>;
  }

  bidi<Method extends DescMethod>(
    method: Method,
    options: grpc.CallOptions = {},
  ): grpc.ClientDuplexStream<MessageShape<Method["input"]>, MessageShape<Method["output"]>> {
    const stream: unknown = this.client.makeBidiStreamRequest(
      pathOf(method),
      writerOf(method),
      readerOf(method),
      new grpc.Metadata(),
      options,
    );
    return stream as grpc.ClientDuplexStream<
      MessageShape<Method["input"]>,
      MessageShape<Method["output"]>
    >;
  }
}

/** All messages of a stream, and how it ended. */
export async function drainStream<T>(
  stream: Pick<grpc.ClientReadableStream<T>, "on">,
): Promise<{ messages: T[]; code: grpc.status; details: string }> {
  const messages: T[] = [];
  return await new Promise((resolve) => {
    let end: { code: grpc.status; details: string } | undefined;
    let isRead = false;
    // Either may come first.
    const look = (): void => {
      if (end !== undefined && isRead) resolve({ messages, ...end });
    };
    const onRead = (): void => {
      isRead = true;
      look();
    };
    stream.on("data", (message: T) => void messages.push(message));
    stream.on("end", onRead);
    stream.on("error", onRead);
    stream.on("status", ({ code, details }) => {
      end = { code, details };
      look();
    });
  });
}

/** A service for servers of grpc-js. */
export function definitionOf(service: DescService): grpc.ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => {
      const { input, output, methodKind } = method;
      return [
        method.localName,
        {
          path: pathOf(method),
          requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
          responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
          requestSerialize: (message: Message) => Buffer.from(toBinary(input, message)),
          requestDeserialize: (bytes: Buffer) => fromBinary(input, bytes),
          responseSerialize: (message: Message) => Buffer.from(toBinary(output, message)),
          responseDeserialize: (bytes: Buffer) => fromBinary(output, bytes),
        },
      ];
    }),
  );
}

function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

function writerOf({ input }: DescMethod): (message: Message) => Buffer {
  return (message) => Buffer.from(toBinary(input, message));
}

function readerOf({ output }: DescMethod): (bytes: Buffer) => Message {
  return (bytes) => fromBinary(output, bytes);
}

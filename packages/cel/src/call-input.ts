/** What expressions of policies see of a call, the same in all of them. */
import type { Caller, PolicyCall, PreparedMethod, StreamMessage } from "@koala/policy";
import type { Environment } from "./environment.ts";
import {
  intType,
  type Lookup,
  lookupType,
  mapType,
  messageType,
  opaqueType,
  recordType,
  stringType,
  type Type,
  unknownType,
} from "./type.ts";

const caller = recordType("caller", {
  app: stringType,
  host: stringType,
  uid: intType,
  pid: intType,
  labels: mapType(stringType),
});

const variables: Readonly<Record<string, Type>> = {
  request: unknownType,
  caller,
  metadata: lookupType,
  method: stringType,
  service: stringType,
  target: stringType,
  side: stringType,
};

/** What is known of calls whose method is not: everything but the type of the request. */
export const callEnvironment: Environment = { variables };

/**
 * The variables for calls of a method, with the types of its messages; names of its package may be written
 * without it. `response` is there with `hasResponse`, for expressions about calls that have ended.
 */
export function methodEnvironment(
  { method: { desc, kind } }: PreparedMethod,
  hasResponse: boolean = false,
): Environment {
  const { input, output, parent } = desc;
  // There is no single message of a stream.
  const sends = kind === "client_streaming" || kind === "bidi_streaming";
  const receives = kind === "server_streaming" || kind === "bidi_streaming";
  const request = sends ? opaqueType(`the stream of ${input.typeName}`) : messageType(input);
  const response = receives ? opaqueType(`the stream of ${output.typeName}`) : messageType(output);
  return {
    variables: { ...variables, request, ...(hasResponse ? { response } : {}) },
    container: parent.file.proto.package,
  };
}

/**
 * The same for expressions that are evaluated for each message of a method that takes a stream: `request` is
 * the message. See `CallInput.message`.
 */
export function messageEnvironment(method: PreparedMethod): Environment {
  const { variables, ...rest } = methodEnvironment(method);
  return { ...rest, variables: { ...variables, request: messageType(method.method.desc.input) } };
}

/** Headers of a request, kept for when it has been passed on. */
export type KeptHeaders = readonly (readonly [key: string, value: string | Uint8Array])[];

/** Copies the headers of a call, for handlers of messages that come later. */
export function keepHeaders({ metadata }: PolicyCall): KeptHeaders {
  return metadata
    .entries()
    .map(([key, value]) => [key, typeof value === "string" ? value : value.slice()] as const);
}

/** The variables of one call, each read when an expression comes to it. One object serves all calls. */
export class CallInput implements Lookup {
  /** Set it before an expression is evaluated, and take it away afterwards. */
  call: PolicyCall | null = null;
  /** A message of the call's stream, which is its `request` then. */
  message: StreamMessage | null = null;
  /** What `keepHeaders` gave, for when the call's own are gone. */
  headers: KeptHeaders | null = null;

  get request(): unknown {
    return this.message === null ? this.call!.request : this.message.value;
  }
  get response(): unknown {
    return this.call!.response;
  }
  get caller(): Caller {
    return this.call!.caller;
  }
  get metadata(): Lookup {
    return this;
  }
  get method(): string {
    return this.call!.method.name;
  }
  get service(): string {
    return this.call!.service;
  }
  get target(): string {
    return this.call!.target;
  }
  get side(): string {
    return this.call!.side;
  }

  /** A header, whatever the case of its name; bytes in base64. */
  get(key: string): string | undefined {
    const name = key.toLowerCase();
    const value =
      this.headers === null
        ? this.call!.metadata.get(name)
        : this.headers.find((entry) => entry[0] === name)?.[1];
    return value === undefined || typeof value === "string"
      ? value
      : Buffer.from(value).toString("base64");
  }

  keys(): string[] {
    const entries = this.headers ?? this.call!.metadata.entries();
    return [...new Set(entries.map(([key]) => key))];
  }
}

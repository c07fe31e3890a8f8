/** What the expressions of rules see of a call. */
import {
  type Environment,
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
} from "@koala/cel";
import type { Caller, PolicyCall, PreparedMethod } from "@koala/policy";

const caller = recordType("caller", {
  app: stringType,
  host: stringType,
  uid: intType,
  pid: intType,
  labels: mapType(stringType),
});

const variables: Record<string, Type> = {
  request: unknownType,
  caller,
  metadata: lookupType,
  method: stringType,
  service: stringType,
  target: stringType,
  side: stringType,
};

/** What is known without a method: everything but the request. */
export const anyMethod: Environment = { variables };

/** With the type of the method's request. Names of its package may be written without it. */
export function environmentOf({ method }: PreparedMethod): Environment {
  const { input, parent } = method.desc;
  // When a call of these begins, no message is there.
  const isStream = method.kind === "client_streaming" || method.kind === "bidi_streaming";
  const request = isStream ? opaqueType(`the stream of ${input.typeName}`) : messageType(input);
  return {
    variables: { ...variables, request },
    container: parent.file.proto.package,
  };
}

/** The variables, each read from the call when an expression comes to it. One object serves all calls. */
export class RuleInput implements Lookup {
  call: PolicyCall | null = null;

  get request(): unknown {
    return this.call!.request;
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
    const value = this.call!.metadata.get(key.toLowerCase());
    return value === undefined || typeof value === "string"
      ? value
      : Buffer.from(value).toString("base64");
  }

  keys(): string[] {
    return [...new Set(this.call!.metadata.entries().map(([key]) => key))];
  }
}

/** What expressions see of a call. One object for all calls: it shows the one that is looked at. */
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
} from "@koala/cel";
import type { Caller, PolicyCall } from "@koala/policy";
import type { MethodSchema } from "@koala/schema";

const callerType: Type = recordType("caller", {
  app: stringType,
  host: stringType,
  uid: intType,
  pid: intType,
  labels: mapType(stringType),
});

/** Types of the variables for calls of a method. */
export function variableTypes({ desc, kind }: MethodSchema): Readonly<Record<string, Type>> {
  // When a call of these begins, no message is there.
  const isStream = kind === "client_streaming" || kind === "bidi_streaming";
  const { typeName } = desc.input;
  return {
    request: isStream ? opaqueType(`the stream of ${typeName}`) : messageType(desc.input),
    caller: callerType,
    metadata: lookupType,
    method: stringType,
    service: stringType,
    target: stringType,
  };
}

export class CallVariables implements Lookup {
  private call: PolicyCall | undefined = undefined;

  /** Looks at a call, or at none. */
  show(call: PolicyCall | undefined): this {
    this.call = call;
    return this;
  }

  get request(): unknown {
    return this.call!.request;
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

  /** Of the metadata; keys with bytes are not there. */
  get(key: string): string | undefined {
    const value = this.call!.metadata.get(key);
    return typeof value === "string" ? value : undefined;
  }

  keys(): readonly string[] {
    return this.call!.metadata.entries().flatMap(([key, value]) =>
      typeof value === "string" ? [key] : [],
    );
  }
}

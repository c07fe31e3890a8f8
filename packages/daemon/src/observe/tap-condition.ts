/** The condition of a tap: an expression over a call that has ended, with its messages. */
import {
  type Compiled,
  compileExpression,
  type Environment,
  Failure,
  intType,
  isProblems,
  mapType,
  messageType,
  opaqueType,
  recordType,
  stringType,
  type Type,
} from "@koala/cel";
import { messageOf } from "@koala/interface";
import type { CallReport } from "@koala/protocol";
import type { MethodSchema } from "@koala/schema";
import type { Decoded } from "./message-decoder.ts";

const caller = recordType("caller", {
  app: stringType,
  host: stringType,
  uid: intType,
  pid: intType,
  labels: mapType(stringType),
});

/** What a condition is asked about. */
export interface Judged {
  readonly report: CallReport;
  readonly labels: Readonly<Record<string, string>>;
  readonly requests: readonly Decoded[];
  readonly replies: readonly Decoded[];
}

export class TapCondition {
  private readonly text: string;
  private readonly byMethod = new WeakMap<MethodSchema, Compiled | string>();

  constructor(text: string) {
    this.text = text;
  }

  /** Why it does not fit a method; "" when it does. */
  problemWith(method: MethodSchema): string {
    const compiled = this.compiledFor(method);
    return typeof compiled === "string" ? compiled : "";
  }

  /** Whether it is met; a text says why that can't be told. */
  judge({ report, labels, requests, replies }: Judged): boolean | string {
    const first = requests[0] ?? replies[0];
    const method = first?.booked?.schema.methods[first.raw.method];
    if (method === undefined) return first?.problem ?? "its messages were not copied";
    const compiled = this.compiledFor(method);
    if (typeof compiled === "string") return compiled;
    const { service, target, status, statusName, origin, policy } = report;
    const facts = { service, target, status, status_name: statusName, origin, policy };
    const value = (list: readonly Decoded[], name: string): unknown => {
      const message = list[0]?.message;
      if (message === undefined) throw new Error(`there is no ${name}`);
      return message;
    };
    try {
      const result = compiled.evaluate({
        ...facts,
        method: report.method,
        latency_ms: Math.round(report.hops.ended / 1000),
        caller: { ...report.caller, labels },
        get request() {
          return value(requests, "request");
        },
        get response() {
          return value(replies, "response");
        },
      });
      return result instanceof Failure ? result.reason : result === true;
    } catch (error) {
      return messageOf(error);
    }
  }

  private compiledFor(method: MethodSchema): Compiled | string {
    let compiled = this.byMethod.get(method);
    if (compiled === undefined) {
      const result = compileExpression(this.text, environmentOf(method));
      if (isProblems(result)) {
        const { message, line, column } = result[0]!;
        compiled = `${message} (line ${line}, column ${column})`;
      } else if (result.type.kind !== "bool") compiled = "it is no condition: expected a bool";
      else compiled = result;
      this.byMethod.set(method, compiled);
    }
    return compiled;
  }
}

function environmentOf({ desc, kind }: MethodSchema): Environment {
  const { input, output, parent } = desc;
  const sends = kind === "client_streaming" || kind === "bidi_streaming";
  const receives = kind === "server_streaming" || kind === "bidi_streaming";
  const request = sends ? opaqueType(`the stream of ${input.typeName}`) : messageType(input);
  const response = receives ? opaqueType(`the stream of ${output.typeName}`) : messageType(output);
  const texts = ["service", "method", "target", "status_name", "origin", "policy"];
  const variables: Record<string, Type> = { request, response, caller };
  for (const name of texts) variables[name] = stringType;
  for (const name of ["status", "latency_ms"]) variables[name] = intType;
  return { variables, container: parent.file.proto.package };
}

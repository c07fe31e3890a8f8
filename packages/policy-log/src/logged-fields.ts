/**
 * The values of `fields`. What is in the request can be seen while it passes only, what is in the reply
 * when the call ends, so an expression is about the one or the other.
 */
import {
  CallInput,
  type Compiled,
  compileExpression,
  describeType,
  isProblems,
  methodEnvironment,
  type Problem,
} from "@koala/cel";
import type { ConfigProblem, PolicyCall, PreparedMethod } from "@koala/policy";
import { quoted } from "./log-line.ts";

/** One entry of `fields`, for a method. */
interface Field {
  readonly name: string;
  readonly compiled: Compiled;
  readonly ofReply: boolean;
}

/** Longest text of one value. */
const textMax = 1024;
const scalarKinds: readonly string[] = ["int", "uint", "double", "string", "bool", "null"];

/** What is wrong with the expressions for a method. */
export function checkFields(
  fields: Readonly<Record<string, string>>,
  method: PreparedMethod,
): ConfigProblem[] {
  return Object.entries(fields).flatMap(([name, text]) => {
    const { problems } = compile(text, method);
    return problems.map(({ message, offset }) => ({ path: ["fields", name], message, offset }));
  });
}

export class LoggedFields {
  private readonly ofRequest: readonly Field[];
  private readonly ofReply: readonly Field[];
  private readonly input = new CallInput();

  constructor(fields: Readonly<Record<string, string>>, method: PreparedMethod) {
    const all: Field[] = [];
    for (const [name, text] of Object.entries(fields)) {
      const { compiled } = compile(text, method);
      if (compiled === undefined) continue;
      all.push({ name, compiled, ofReply: compiled.variables.has("response") });
    }
    this.ofRequest = all.filter(({ ofReply }) => !ofReply);
    this.ofReply = all.filter(({ ofReply }) => ofReply);
  }

  /** Appends names and values as JSON to a list, name after value. */
  readRequest(call: PolicyCall, into: string[]): void {
    if (this.ofRequest.length > 0) this.read(this.ofRequest, call, into);
  }

  /** For calls that ended with OK. */
  readReply(call: PolicyCall, into: string[]): void {
    if (this.ofReply.length > 0) this.read(this.ofReply, call, into);
  }

  private read(fields: readonly Field[], call: PolicyCall, into: string[]): void {
    this.input.call = call;
    for (const { name, compiled } of fields) {
      const text = jsonOf(compiled.evaluate(this.input));
      if (text !== "") into.push(name, text);
    }
    this.input.call = null;
  }
}

/** "" for what has no value: a missing key of a map, say. */
function jsonOf(value: unknown): string {
  if (typeof value === "string") return quoted(value.slice(0, textMax));
  if (typeof value === "bigint") return `"${value}"`;
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `"${value}"`;
  if (typeof value === "boolean") return String(value);
  return value === null ? "null" : "";
}

function compile(
  text: string,
  method: PreparedMethod,
): { compiled?: Compiled; problems: readonly { message: string; offset: number }[] } {
  const compiled = compileExpression(text, methodEnvironment(method, true));
  if (isProblems<Problem>(compiled)) return { problems: compiled };
  const { kind } = compiled.type.kind === "nullable" ? compiled.type.of : compiled.type;
  if (!scalarKinds.includes(kind)) {
    const found = describeType(compiled.type);
    return {
      problems: [{ message: `expected text, a number or a bool, found ${found}`, offset: 0 }],
    };
  }
  const reads = compiled.variables;
  if (reads.has("response") && (reads.has("request") || reads.has("metadata"))) {
    const message = "an expression is about the request or about the response, not both";
    return { problems: [{ message, offset: 0 }] };
  }
  return { compiled, problems: [] };
}

/** Which bucket a call takes its token from: a text, made once for a method or anew for each call. */
import {
  CallInput,
  type Compiled,
  checkSyntax,
  compileExpression,
  describeType,
  isProblems,
  type KeptHeaders,
  keepHeaders,
  messageEnvironment,
  methodEnvironment,
  type Problem,
} from "@koala/cel";
import type { ConfigProblem, PolicyCall, PreparedMethod, StreamMessage } from "@koala/policy";
import type { RateLimitConfig } from "./config.ts";

/** Values of these types can name a bucket. */
const keyKinds: readonly string[] = ["string", "int", "uint", "bool"];

/** How the key of a method's calls is found. */
export interface KeySource {
  /** The key of all calls; undefined if it is each call's own. */
  readonly fixed: string | undefined;
  keyOf(call: PolicyCall): string;
  /** Of calls whose messages have keys, each its own: what these need of the call later. */
  readonly keep?: (call: PolicyCall) => KeptHeaders;
  readonly keyOfMessage?: (message: StreamMessage, call: PolicyCall, kept: KeptHeaders) => string;
}

/** Whether the tokens of a method are taken by the messages of its streams. */
export function countsMessages({ count }: RateLimitConfig, { method }: PreparedMethod): boolean {
  const { kind } = method;
  return count === "messages" && (kind === "client_streaming" || kind === "bidi_streaming");
}

/** Mistakes that can be seen without a method. */
export function checkKey({ key }: RateLimitConfig): ConfigProblem[] {
  if (key === undefined) return [];
  return checkSyntax(key).map(({ message, offset }) => ({ path: ["key"], message, offset }));
}

/** What is wrong with the expression for the messages of a method. */
export function checkKeyFor(config: RateLimitConfig, method: PreparedMethod): ConfigProblem[] {
  if (config.key === undefined) return [];
  return compile(config.key, method, countsMessages(config, method)).problems;
}

/** Undefined when the expression does not fit the method; `checkKeyFor` says why. */
export function keySourceFor(
  config: RateLimitConfig,
  method: PreparedMethod,
): KeySource | undefined {
  const { by, key } = config;
  if (by === "policy") return fixed("");
  if (by === "method") return fixed(`${method.service}/${method.method.name}`);
  if (by === "caller") return { fixed: undefined, keyOf: ({ caller }) => callerKey(caller) };
  if (by === "target") return { fixed: undefined, keyOf: ({ target }) => target };
  const { compiled } = compile(key!, method, countsMessages(config, method));
  if (compiled === undefined) return undefined;
  const input = new CallInput();
  const keyOf = (call: PolicyCall): string => {
    input.call = call;
    const value = compiled.evaluate(input);
    input.call = null;
    return textOf(value);
  };
  if (!countsMessages(config, method) || !compiled.variables.has("request")) {
    return { fixed: undefined, keyOf };
  }
  const keyOfMessage = (message: StreamMessage, call: PolicyCall, kept: KeptHeaders): string => {
    input.message = message;
    input.headers = kept;
    try {
      return keyOf(call);
    } finally {
      input.message = null;
      input.headers = null;
    }
  };
  return { fixed: undefined, keyOf, keep: keepHeaders, keyOfMessage };
}

/** Calls without a key (a missing entry of a map, say) have one bucket together. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "object" ? "" : String(value);
}

function fixed(text: string): KeySource {
  return { fixed: text, keyOf: () => text };
}

function callerKey({ app, host }: PolicyCall["caller"]): string {
  return host === "" ? app : `${app}@${host}`;
}

function compile(
  text: string,
  method: PreparedMethod,
  ofMessages: boolean,
): { compiled?: Compiled; problems: ConfigProblem[] } {
  const environment = ofMessages ? messageEnvironment(method) : methodEnvironment(method);
  const compiled = compileExpression(text, environment);
  if (isProblems<Problem>(compiled)) {
    return {
      problems: compiled.map(({ message, offset }) => ({ path: ["key"], message, offset })),
    };
  }
  if (keyKinds.includes(compiled.type.kind)) return { compiled, problems: [] };
  const found = describeType(compiled.type);
  const message = `a key is a string, an integer or a bool, found ${found}`;
  return { problems: [{ path: ["key"], message, offset: 0 }] };
}

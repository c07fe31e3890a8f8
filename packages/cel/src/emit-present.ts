/** Wrappers of google.protobuf where their bare value is needed. */
import type { Emitter } from "./emitter.ts";
import type { Expression } from "./expression.ts";
import { loaded, type Value } from "./value.ts";

/** A value that is not null; null is a failure. */
export function present(emitter: Emitter, value: Value, offset: number): Value {
  if (value.type.kind !== "nullable") return value;
  const found = emitter.simple(value);
  emitter.line(`if (${found.code} == null) ${emitter.failing(offset, "the value is null")}`);
  return loaded(value.type.of, found.code, true);
}

/** The value of an expression; null is a failure. */
export function emitPresent(emitter: Emitter, expression: Expression): Value {
  return present(emitter, emitter.emit(expression), expression.offset);
}

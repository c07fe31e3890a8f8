/**
 * `&&` and `||`. As CEL has it, they don't care which operand comes first: one that decides absorbs the
 * failure of another. `x / 0 > 1 || true` is true.
 */
import { emitPresent } from "./emit-present.ts";
import type { Emitter } from "./emitter.ts";
import type { Logic } from "./expression.ts";
import { boolType, describeType } from "./type.ts";
import { errorValue, isError, type Value } from "./value.ts";

export function emitLogic(emitter: Emitter, { operator, operands }: Logic): Value {
  const error = emitter.name("e");
  const parts = operands.map((operand) => {
    const part = emitter.catching(error, () => emitPresent(emitter, operand));
    const { type } = part.result;
    if (type.kind !== "bool" && type.kind !== "error") {
      emitter.problem(operand.offset, `${operator} needs bools, found ${describeType(type)}`);
    }
    return part;
  });
  if (parts.some(({ result }) => isError(result) || result.type.kind !== "bool")) return errorValue;
  if (parts.every(({ lines }) => lines.length === 0)) {
    const code = parts.map(({ result }) => result.code).join(` ${operator} `);
    return { type: boolType, code: `(${code})`, isSimple: false };
  }
  const result = emitter.name("t");
  const done = emitter.name("d");
  const decides = operator === "||";
  const canFail = parts.some(({ caught }) => caught.isUsed);
  emitter.line(`let ${result} = ${decides};`);
  if (canFail) emitter.line(`let ${error} = 0;`);
  emitter.line(`${done}: {`);
  for (const { result: value, lines, caught } of parts) {
    emitter.line(caught.isUsed ? `${caught.label}: {` : "{");
    emitter.append(lines);
    emitter.line(`if (${decides ? "" : "!"}(${value.code})) break ${done};`);
    emitter.line("}");
  }
  if (canFail) emitter.line(`if (${error} !== 0) ${emitter.leaving(error)}`);
  emitter.line(`${result} = ${!decides};`);
  emitter.line("}");
  return { type: boolType, code: result, isSimple: true };
}

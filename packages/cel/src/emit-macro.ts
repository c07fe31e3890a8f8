/** `exists`, `all`, `exists_one`, `filter` and `map`: loops over a list, or over the keys of a map. */
import { keysCode } from "./emit-map.ts";
import { emitPresent } from "./emit-present.ts";
import type { Emitter } from "./emitter.ts";
import type { Call, Expression } from "./expression.ts";
import { boolType, describeType, listType, type Type } from "./type.ts";
import { errorValue, isError, loaded, storable, type Value } from "./value.ts";

const macros = new Set(["exists", "all", "exists_one", "filter", "map"]);

/** Whether a method call is one of these: no other method has a name as its first of two arguments. */
export function isMacro({ name, target }: Call): boolean {
  return target !== null && macros.has(name);
}

/** What a macro goes over. */
interface Source {
  readonly array: string;
  readonly element: Type;
}

export function emitMacro(emitter: Emitter, call: Call): Value {
  const { name, target, args, offset } = call;
  const source = sourceOf(emitter, emitter.emit(target!), name, offset);
  const [variable, ...bodies] = args;
  const isCount = bodies.length === 1 || (name === "map" && bodies.length === 2);
  if (variable?.kind !== "name" || !isCount) {
    const example = name === "map" ? "map(x, x.name)" : `${name}(x, x == 1)`;
    return emitter.problem(offset, `${name} needs a name and an expression: ${example}`);
  }
  if (source === undefined) return errorValue;
  const loop = new Loop(emitter, source, variable.name, offset);
  const [first, second] = bodies as [Expression, Expression?];
  switch (name) {
    case "exists":
    case "all":
      return loop.search(first, name === "exists");
    case "exists_one":
      return loop.count(first);
    case "filter":
      return loop.collect(first, undefined);
    default:
      return second === undefined ? loop.collect(undefined, first) : loop.collect(first, second);
  }
}

function sourceOf(
  emitter: Emitter,
  value: Value,
  name: string,
  offset: number,
): Source | undefined {
  const { type } = value;
  if (type.kind === "list") return { array: emitter.simple(value).code, element: type.element };
  if (type.kind === "map") {
    const { code, element } = keysCode(value, type);
    const keys = emitter.simple({ type: listType(element), code, isSimple: false });
    return { array: keys.code, element };
  }
  if (type.kind === "error") return undefined;
  emitter.problem(offset, `${name} needs a list or a map, found ${describeType(type)}`);
  return undefined;
}

class Loop {
  private readonly emitter: Emitter;
  private readonly source: Source;
  private readonly variable: string;
  private readonly offset: number;
  private readonly element: string;
  private readonly index: string;

  constructor(emitter: Emitter, source: Source, variable: string, offset: number) {
    this.emitter = emitter;
    this.source = source;
    this.variable = variable;
    this.offset = offset;
    this.element = emitter.name("x");
    this.index = emitter.name("i");
  }

  /** Ends at the first element that decides; it absorbs what failed before. */
  search(predicate: Expression, decides: boolean): Value {
    const { emitter } = this;
    const error = emitter.name("e");
    const { result, lines, caught } = emitter.catching(error, () => this.body(predicate));
    if (!this.isBool(result, predicate)) return errorValue;
    const outcome = emitter.name("t");
    const done = emitter.name("d");
    emitter.line(`let ${outcome} = ${decides};`);
    if (caught.isUsed) emitter.line(`let ${error} = 0;`);
    emitter.line(`${done}: {`);
    this.open();
    emitter.line(caught.isUsed ? `${caught.label}: {` : "{");
    emitter.append(lines);
    emitter.line(`if (${decides ? "" : "!"}(${result.code})) break ${done};`);
    emitter.line("}");
    emitter.line("}");
    if (caught.isUsed) emitter.line(`if (${error} !== 0) ${emitter.leaving(error)}`);
    emitter.line(`${outcome} = ${!decides};`);
    emitter.line("}");
    return { type: boolType, code: outcome, isSimple: true };
  }

  count(predicate: Expression): Value {
    const { emitter } = this;
    const { result, lines } = emitter.capture(() => this.body(predicate));
    if (!this.isBool(result, predicate)) return errorValue;
    const counter = emitter.name("t");
    emitter.line(`let ${counter} = 0;`);
    this.open();
    emitter.append([...lines, `if (${result.code}) ${counter}++;`]);
    emitter.line("}");
    return { type: boolType, code: `(${counter} === 1)`, isSimple: false };
  }

  collect(predicate: Expression | undefined, transform: Expression | undefined): Value {
    const { emitter } = this;
    const list = emitter.name("t");
    const body = emitter.capture(() => {
      if (predicate !== undefined) {
        const value = this.body(predicate);
        if (!this.isBool(value, predicate)) return undefined;
        emitter.line(`if (!(${value.code})) continue;`);
      }
      if (transform === undefined) {
        emitter.line(`${list}.push(${this.element});`);
        return this.source.element;
      }
      const value = storable(this.body(transform));
      emitter.line(`${list}.push(${value.code});`);
      return isError(value) ? undefined : value.type;
    });
    if (body.result === undefined) return errorValue;
    emitter.line(`const ${list} = [];`);
    this.open();
    emitter.append(body.lines);
    emitter.line("}");
    return { type: listType(body.result), code: list, isSimple: true };
  }

  private open(): void {
    const { emitter, element, index, source } = this;
    emitter.line(`for (let ${index} = 0; ${index} < ${source.array}.length; ${index}++) {`);
    emitter.step(this.offset, "1");
    emitter.line(`const ${element} = ${source.array}[${index}];`);
  }

  private body(expression: Expression): Value {
    const { emitter, variable, element, source } = this;
    emitter.scope.push({ name: variable, value: loaded(source.element, element, true) });
    const value = emitPresent(emitter, expression);
    emitter.scope.pop();
    return value;
  }

  private isBool({ type }: Value, { offset }: Expression): boolean {
    if (type.kind === "bool") return true;
    if (type.kind !== "error") {
      this.emitter.problem(offset, `a condition is a bool, found ${describeType(type)}`);
    }
    return false;
  }
}

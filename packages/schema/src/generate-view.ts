/**
 * Generates lazy views: one class per type whose getters decode a field when it is asked for. Lists, maps,
 * oneofs and nested views are kept once made, so that `v.hotels[i]` in a loop does not make them again.
 *
 * Getters are on the prototype. A view reads like a message and can be written again, but `isFieldSet`
 * and `toBinary` of protobuf-es look for own properties: they need `read`.
 */
import { type Dialect, emitList, emitMap, emitOneof, valueAt } from "./generate-value.ts";
import type { FieldLayout, MessageLayout } from "./layout.ts";
import { type Closure, quote, Source } from "./source.ts";
import { viewPrelude } from "./view-prelude.ts";

/** Source text of a factory that takes `rt` and returns the `view` function of the root type. */
export function generateView(closure: Closure): string {
  const source = new Source();
  source.line(viewPrelude);
  const dialect: Dialect = {
    closure,
    prefix: "c.",
    context: "c, ",
    message: (type, position) => `new V${type}(c, ${position})`,
  };
  closure.layouts.forEach((layout, index) => {
    emitClass(source, dialect, layout, index);
  });
  source.line("return view;");
  return source.toString();
}

function emitClass(source: Source, dialect: Dialect, layout: MessageLayout, index: number): void {
  source.line(`class V${index} {`);
  source.line("#c; #q; #kept = null;");
  source.line("constructor(c, p) {");
  source.line("this.#c = c;");
  source.line("this.#q = p >> 2;");
  source.line("}");
  // A static block: the getters see the private fields, and names stay string literals.
  source.line("static {");
  source.line("const type = this.prototype;");
  source.line(`getter(type, "$typeName", function () { return ${quote(layout.typeName)}; });`);
  source.line('getter(type, "$unknown", function () {');
  source.line("const c = this.#c, r = c.i32[this.#q];");
  source.line("return r === 0 ? undefined : unknown(c, r);");
  source.line("});");
  let kept = 0;
  for (const oneof of layout.oneofs) {
    openGetter(source, oneof.localName, kept);
    emitOneof(source, dialect, oneof, "x");
    closeKept(source, kept++);
  }
  for (const field of layout.fields) {
    if (field.oneof !== null) continue;
    const isKept = field.shape !== "single" || field.value.kind === "message";
    openGetter(source, field.localName, isKept ? kept : -1);
    if (field.shape === "list") emitList(source, dialect, field, "x");
    else if (field.shape === "map") emitMap(source, dialect, field, "x");
    else emitSingle(source, dialect, layout, index, field);
    if (isKept) closeKept(source, kept++);
    else source.line("});");
  }
  source.line("}");
  source.line("}");
}

function openGetter(source: Source, name: string, kept: number): void {
  source.line(`getter(type, ${quote(name)}, function () {`);
  if (kept >= 0) {
    source.line("const kept = (this.#kept ??= []);");
    source.line(`if (kept[${kept}] !== undefined) return kept[${kept}];`);
  }
  source.line("const c = this.#c, q = this.#q;");
}

function closeKept(source: Source, kept: number): void {
  source.line(`kept[${kept}] = x;`);
  source.line("return x;");
  source.line("});");
}

function emitSingle(
  source: Source,
  dialect: Dialect,
  layout: MessageLayout,
  index: number,
  field: FieldLayout,
): void {
  const flag = (bit: number): string => `(c.i32[q + ${1 + (bit >> 5)}] & ${1 << (bit & 31)}) !== 0`;
  if (field.value.kind === "message") {
    source.line(`if (c.i32[q + ${field.word}] === 0) return undefined;`);
    source.line(`const x = ${valueAt(dialect, field.value, "q", field.word)};`);
    return;
  }
  if (field.presenceBit >= 0) {
    const absent = layout.usesPrototype
      ? `rt.prototypes[${index}][${quote(field.localName)}]`
      : "undefined";
    source.line(`if (!(${flag(field.presenceBit)})) return ${absent};`);
  }
  const isFlag = field.valueBit >= 0;
  const value = isFlag ? flag(field.valueBit) : valueAt(dialect, field.value, "q", field.word);
  source.line(`return ${value};`);
}

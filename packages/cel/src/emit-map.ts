/** Entries of maps. */
import type { Emitter } from "./emitter.ts";
import { describeType, isInteger, type MapType, type Type } from "./type.ts";
import { isError, loaded, type Value } from "./value.ts";

/** `map[key]`; a missing key is a failure. */
export function mapEntry(
  emitter: Emitter,
  map: Value,
  type: MapType,
  key: Value,
  offset: number,
): Value {
  const property = propertyOf(emitter, type, key, offset);
  if (isError(property)) return property;
  const found = entryOrUndefined(emitter, map, type, property);
  const missing = emitter.failing(offset, "the map has no such key");
  emitter.line(`if (${found} === undefined) ${missing}`);
  return loaded(type.value, found, true);
}

/** `key in map` */
export function isKey(
  emitter: Emitter,
  map: Value,
  type: MapType,
  key: Value,
  offset: number,
): Value {
  const property = propertyOf(emitter, type, key, offset);
  if (isError(property)) return property;
  const code =
    type.form === "lookup"
      ? `(${map.code}.get(${property.code}) !== undefined)`
      : `Object.hasOwn(${map.code}, ${property.code})`;
  return { type: { kind: "bool" }, code, isSimple: false };
}

/** A variable with what is at the key. */
function entryOrUndefined(emitter: Emitter, map: Value, type: MapType, property: Value): string {
  const name = emitter.name("t");
  if (type.form === "lookup") {
    emitter.line(`const ${name} = ${map.code}.get(${property.code});`);
    return name;
  }
  const object = emitter.simple(map);
  const key = emitter.simple(property);
  const value = `${object.code}[${key.code}]`;
  emitter.line(
    `const ${name} = Object.hasOwn(${object.code}, ${key.code}) ? ${value} : undefined;`,
  );
  return name;
}

/** The key as a property name. */
function propertyOf(emitter: Emitter, type: MapType, key: Value, offset: number): Value {
  const isFitting = key.type.kind === type.key.kind || areIntegers(key.type, type.key);
  if (!isFitting) {
    const types = `${describeType(type.key)}, found ${describeType(key.type)}`;
    return emitter.problem(offset, `the keys of the map are of type ${types}`);
  }
  if (isInteger(key.type) && typeof key.constant === "bigint") {
    return { type: key.type, code: `"${key.constant}"`, isSimple: true };
  }
  if (isInteger(key.type)) {
    return { type: key.type, code: `String(${key.code})`, isSimple: false };
  }
  if (key.type.kind !== "bool") return key;
  return { type: key.type, code: `(${key.code} ? "true" : "false")`, isSimple: false };
}

function areIntegers(a: Type, b: Type): boolean {
  return isInteger(a) && isInteger(b);
}

/** An array of the keys, in the form in which expressions use them. */
export function keysCode(map: Value, type: MapType): { code: string; element: Type } {
  if (type.form === "lookup") return { code: `${map.code}.keys()`, element: type.key };
  const keys = `Object.keys(${map.code})`;
  const { key } = type;
  if (key.kind === "bool") return { code: `${keys}.map(rt.isTrue)`, element: key };
  if (isInteger(key) && key.form === "number") {
    return { code: `${keys}.map(Number)`, element: key };
  }
  return { code: keys, element: key };
}

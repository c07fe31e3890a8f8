/** How much a policy keeps, so that a leak shows. */
import { LiveCall } from "@koala/policy/engine";

/**
 * The number of objects, entries and elements that can be reached from a value. Calls don't count: they
 * belong to the engine. What closures hold is not seen.
 */
export function reachableSize(value: unknown): number {
  const seen = new Set<object>();
  const waiting: unknown[] = [value];
  let size = 0;
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    if (next instanceof LiveCall) continue;
    seen.add(next);
    size++;
    if (ArrayBuffer.isView(next) || next instanceof ArrayBuffer) size += next.byteLength;
    else size += push(waiting, next);
  }
  return size;
}

/** Adds what an object refers to; returns how many entries it has. */
function push(waiting: unknown[], object: object): number {
  if (object instanceof Map) {
    for (const [key, item] of object) waiting.push(key, item);
    return object.size;
  }
  if (object instanceof Set) {
    waiting.push(...object);
    return object.size;
  }
  const items = Object.values(object) as unknown[];
  for (const item of items) waiting.push(item);
  return items.length;
}

import { generateReader } from "./generate-reader.ts";
import type { Closure } from "./source.ts";

export function generateView(closure: Closure): string {
  return generateReader(closure);
}

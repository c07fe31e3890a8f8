/** A hook of Node's module loader that takes the trace points out of Koala's modules. */

import type { LoadHook } from "node:module";
import { fileURLToPath } from "node:url";

/** The module without the statements that note trace points; lines keep their numbers. */
export function stripTracePoints(source: string): string {
  return source.replace(
    /if \(tracePoints !== null\)(\s*)tracePoints\.note\([^;]*\);/g,
    (_statement, space: string) => `;${space}`,
  );
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (loaded.format !== "module" || !url.startsWith("file:")) return loaded;
  if (fileURLToPath(url).includes("node_modules")) return loaded;
  const { source } = loaded;
  if (source === undefined || source === null) return loaded;
  const text = typeof source === "string" ? source : Buffer.from(source as Uint8Array).toString();
  return { ...loaded, source: stripTracePoints(text) };
};

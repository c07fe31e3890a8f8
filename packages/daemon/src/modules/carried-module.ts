/**
 * The code of a module as one daemon process hands it to the next: with its text, so that what runs goes on
 * to run, whatever lies on disk by then. Packages that it imports are those on disk.
 */
import { KoalaError } from "@koala/interface";
import { type CompiledCode, compileModule } from "./compile.ts";
import { isListed, type ModulePlaces } from "./locate.ts";
import { loadCompiledPolicy, type PolicyModule } from "./policy-module.ts";

export interface CarriedModule {
  readonly kind: "policy" | "frontend" | "adapter";
  /** As `use` names it; of an engine, its kind. */
  readonly use: string;
  /** Where it was looked for. */
  readonly from: string;
  readonly entry: string;
  readonly version: string;
  /** Its files: path and text. */
  readonly files: readonly (readonly [path: string, text: string])[];
}

/** What is to be handed over of compiled code. */
export function carriedOf(
  facts: Omit<CarriedModule, "files" | "entry">,
  { entry, compiled }: CompiledCode,
): CarriedModule {
  const files = [...compiled.sources.values()].map(({ path, text }) => [path, text] as const);
  return { ...facts, entry, files };
}

/**
 * Compiles it from the text that has come with it. Throws as compiling from disk does: the folder that the
 * code was in must still be one of the directories.
 */
export function compileCarried(
  { entry, files, use }: CarriedModule,
  places: ModulePlaces,
  cache: string,
): CompiledCode {
  if (!isListed(entry, places)) {
    throw new KoalaError(
      "ERR_MODULE_DIRECTORY",
      `${use}: the code that runs is from ${entry}, which is in none of the directories in [modules] of koala.toml any more. Add its folder there, or detach what uses it`,
    );
  }
  const located = { entry, builtIn: undefined };
  return { entry, compiled: compileModule(located, places, cache, new Map(files)) };
}

/** The same for a policy, loaded. */
export function loadCarriedPolicy(
  carried: CarriedModule,
  places: ModulePlaces,
  cache: string,
): PolicyModule {
  const code = compileCarried(carried, places, cache);
  return loadCompiledPolicy({ ...code, use: carried.use, from: carried.from, isBuiltIn: false });
}

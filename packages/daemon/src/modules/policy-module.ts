/** A module that is a policy: loaded, and looked at before anybody relies on it. */
import { KoalaError } from "@koala/interface";
import { isPolicy, type PolicyDefinition } from "@koala/policy";
import { type CompiledCode, compileModule } from "./compile.ts";
import { explainLoadFailure } from "./load-failure.ts";
import { locateModule, type ModulePlaces } from "./locate.ts";
import { checkManifest } from "./policy-manifest.ts";
import { requireModule } from "./require-module.ts";
import { sourcesReady } from "./source-file.ts";

/** A module, as the main thread has it and as the runtimes load it. */
export interface LoadedModule extends CompiledCode {
  /** As `use` names it. */
  readonly use: string;
  /** Where it was looked for: `use`, or a path that somebody gave for it. */
  readonly from: string;
  /** It is one of those that ship with the daemon. */
  readonly isBuiltIn: boolean;
  /** What it exports by default. */
  readonly exported: unknown;
}

/** A module that is a policy. */
export interface PolicyModule extends LoadedModule {
  readonly definition: PolicyDefinition;
}

/**
 * Loads a module from where it is now. The same code is the same module, however often it is loaded.
 *
 * @throws KoalaError `ERR_MODULE_…`; see docs/reference/errors.md.
 */
export async function loadModule(
  use: string,
  places: ModulePlaces,
  cache: string,
  from: string = use,
): Promise<LoadedModule> {
  await sourcesReady;
  const located = locateModule(from, places);
  const compiled = compileModule(located, places, cache);
  const isBuiltIn = located.builtIn !== undefined;
  return loadCompiled({ use, from, entry: located.entry, isBuiltIn, compiled });
}

function loadCompiled(module: Omit<LoadedModule, "exported">): LoadedModule {
  const { compiled, use } = module;
  try {
    return { ...module, exported: requireModule(compiled.path) };
  } catch (error) {
    throw explainLoadFailure(compiled, use, error);
  }
}

/** Loads code that is compiled already, and is to be a policy. */
export function loadCompiledPolicy(module: Omit<LoadedModule, "exported">): PolicyModule {
  const loaded = loadCompiled(module);
  return { ...loaded, definition: checkPolicy(loaded) };
}

/** As `loadModule`, for a policy. */
export async function loadPolicyModule(
  use: string,
  places: ModulePlaces,
  cache: string,
  from: string = use,
): Promise<PolicyModule> {
  const module = await loadModule(use, places, cache, from);
  return { ...module, definition: checkPolicy(module) };
}

/** What a module exports by default, as a policy; throws ERR_MODULE_EXPORT when it is none. */
function checkPolicy({ exported, entry, compiled }: LoadedModule): PolicyDefinition {
  if (!isPolicy(exported)) {
    throw new KoalaError(
      "ERR_MODULE_EXPORT",
      `${entry}: its default export is ${exported === undefined ? "missing" : "no policy"}. Write: export default definePolicy({ name, version, config, onRequest(call, ctx) { … } })`,
    );
  }
  checkManifest(exported, { entry, compiled });
  return exported;
}

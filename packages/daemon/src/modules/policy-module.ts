/** A module that is a policy: loaded, and looked at before anybody relies on it. */
import { KoalaError } from "@koala/interface";
import { isPolicy, type PolicyDefinition } from "@koala/policy";
import { type CompiledModule, compileModule } from "./compile.ts";
import { explainLoadFailure } from "./load-failure.ts";
import { locateModule, type ModulePlaces } from "./locate.ts";
import { requireModule } from "./require-module.ts";
import { sourcesReady } from "./source-file.ts";

const namePattern = /^[a-z][a-z0-9-]{0,63}$/;
const versionPattern = /^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$/;
const sharedHandlers = [
  "sharedBytes",
  "check",
  "checkMethod",
  "prepare",
  "start",
  "stop",
  "reconfigure",
  "onRequest",
  "onResponse",
  "onRoute",
  "export",
  "import",
  "control",
] as const;

/** A module, as the main thread has it and as the runtimes load it. */
export interface LoadedModule {
  /** As `use` names it. */
  readonly use: string;
  /** Where it was looked for: `use`, or a path that somebody gave for it. */
  readonly from: string;
  /** Where the code is: its first file. */
  readonly entry: string;
  readonly compiled: CompiledModule;
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
  try {
    const exported = requireModule(compiled.path);
    return { use, from, entry: located.entry, compiled, exported };
  } catch (error) {
    throw explainLoadFailure(compiled, use, error);
  }
}

/** As `loadModule`, for a policy. */
export async function loadPolicyModule(
  use: string,
  places: ModulePlaces,
  cache: string,
  from: string = use,
): Promise<PolicyModule> {
  const module = await loadModule(use, places, cache, from);
  return { ...module, definition: checkPolicy(module.exported, module.entry) };
}

/** What a module exports by default, as a policy; throws ERR_MODULE_EXPORT when it is none. */
function checkPolicy(exported: unknown, file: string): PolicyDefinition {
  const fail = (text: string): never => {
    throw new KoalaError("ERR_MODULE_EXPORT", `${file}: ${text}`);
  };
  if (!isPolicy(exported)) {
    return fail(
      `its default export is ${exported === undefined ? "missing" : "no policy"}. Write: export default definePolicy({ name, version, config, onRequest(call, ctx) { … } })`,
    );
  }
  const { name, version, stateVersion = 1, config, counters = [] } = exported;
  if (typeof name !== "string" || !namePattern.test(name)) {
    fail(`name must be lower-case letters, digits and hyphens, found ${JSON.stringify(name)}`);
  }
  if (typeof version !== "string" || !versionPattern.test(version)) {
    fail(`version must be a semantic version such as "1.0.0", found ${JSON.stringify(version)}`);
  }
  if (!Number.isInteger(stateVersion) || stateVersion < 1) {
    fail(`stateVersion must be a whole number from 1 on, found ${JSON.stringify(stateVersion)}`);
  }
  if (typeof (config as { safeParse?: unknown } | undefined)?.safeParse !== "function") {
    fail(
      "config must be a zod type: z.strictObject({ … }), or z.strictObject({}) if there is none",
    );
  }
  if (!Array.isArray(counters) || !counters.every((counter) => typeof counter === "string")) {
    fail("counters must be a list of names");
  }
  for (const handler of sharedHandlers) {
    const found: unknown = exported[handler];
    if (found !== undefined && typeof found !== "function") fail(`${handler} must be a function`);
  }
  return exported;
}

/** Modules: code that the daemon loads while it runs. */
export {
  type CarriedModule,
  carriedOf,
  compileCarried,
  loadCarriedPolicy,
} from "./carried-module.ts";
export { type CompiledCode, type CompiledModule, compileModule } from "./compile.ts";
export { builtInNames, type LocatedModule, locateModule, type ModulePlaces } from "./locate.ts";
export { closeModuleCache, openModuleCache, removeModuleCache } from "./module-cache.ts";
export { offeredToPolicies, statusOfModule } from "./module-status.ts";
export { compareVersions } from "./policy-manifest.ts";
export {
  type LoadedModule,
  loadModule,
  loadPolicyModule,
  type PolicyModule,
} from "./policy-module.ts";
export { requireModule } from "./require-module.ts";
export { sourcesReady } from "./source-file.ts";

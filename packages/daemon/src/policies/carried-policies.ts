/** Code of policies that one daemon process hands to the next. */
import type { AreaLog } from "../log/index.ts";
import { type CarriedModule, carriedOf, type PolicyModule } from "../modules/index.ts";
import type { Attachment } from "./attachment.ts";
import { type DesiredState, policiesOf } from "./desired-state.ts";

/** What attachments run, but for the policies that ship with the daemon: the next one has its own of these. */
export function carriedPolicies(attachments: readonly Attachment[]): CarriedModule[] {
  const modules = new Map(attachments.map(({ module }) => [module.use, module]));
  return [...modules.values()].flatMap((module) => {
    const { isBuiltIn, use, from, definition } = module;
    const { version } = definition;
    return isBuiltIn ? [] : [carriedOf({ kind: "policy", use, from, version }, module)];
  });
}

/** Whether a policy of the state has its code from there still. */
export function isWanted({ kind, use, from }: CarriedModule, state: DesiredState): boolean {
  const isUsed = policiesOf(state).some((policy) => policy.use === use);
  return kind === "policy" && isUsed && from === (state.paths[use] ?? use);
}

/** Loads them; by `use`. Throws what `load` throws. */
export function loadCarriedPolicies(
  carried: readonly CarriedModule[],
  load: (module: CarriedModule) => PolicyModule,
  log: AreaLog,
): Map<string, PolicyModule> {
  const code = new Map<string, PolicyModule>();
  for (const module of carried) {
    const { use, version } = module;
    const loaded = load(module);
    code.set(use, loaded);
    const hash = loaded.compiled.hash.slice(0, 8);
    const facts = { module: use, version, file: loaded.entry, code: hash };
    log.info("goes on with the code that ran", facts);
  }
  return code;
}

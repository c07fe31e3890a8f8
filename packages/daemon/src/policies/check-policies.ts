/** Checks the policies of a configuration without running them, for `koalad --check`. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadedConfig } from "../config/index.ts";
import { removeModuleCache } from "../modules/index.ts";
import { planAttachments } from "./attachment-plan.ts";
import { stateOfFile } from "./desired-state.ts";
import { runtimesMaxOf } from "./runtimes-max.ts";

/** Loads their code and checks their tables; throws a KoalaError with all that is wrong. */
export async function checkPolicies({ config, document }: LoadedConfig): Promise<void> {
  // Not in the prefix, which may be that of a daemon that runs.
  const cache = mkdtempSync(join(tmpdir(), "koala-check-"));
  try {
    let id = 0;
    await planAttachments({
      state: stateOfFile(config.policies),
      current: [],
      upgrades: new Map(),
      places: config.modules,
      cache: () => cache,
      runtimes: runtimesMaxOf(config),
      file: { document, policies: config.policies },
      nextId: () => ++id,
    });
  } finally {
    removeModuleCache(cache);
  }
}

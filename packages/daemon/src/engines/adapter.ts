/** The adapter engine as a module: the code of links, to other daemons and to other runtimes of this one. */
import { Link } from "../link/link.ts";
import type { LinkOptions } from "../link/link-options.ts";
import { type LinkState, linkStateVersion } from "../link/link-state.ts";
import { version } from "../version.ts";
import { type EngineModule, engineContracts } from "./engine-module.ts";

export type AdapterModule = EngineModule<LinkOptions, Link, LinkState>;

/** The adapter that this daemon was built with. */
export const builtInAdapter: AdapterModule = {
  name: "adapter",
  contract: engineContracts.adapter,
  version,
  stateVersion: linkStateVersion,
  accepts: ({ version: theirs, stateVersion }) =>
    stateVersion === linkStateVersion
      ? ""
      : `the adapter ${version} continues state of version ${linkStateVersion}, the adapter ${theirs} hands over version ${stateVersion}`,
  create: (options) => new Link(options),
  restore: (options, saved) => new Link({ ...options, saved }),
};

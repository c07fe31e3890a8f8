/** The frontend engine as a module: the code that serves apps. */
import { KoalaError } from "@koala/interface";
import { AppEndpoint } from "../datapath/app-endpoint.ts";
import type { AppEngine, AppEngineOptions } from "../datapath/app-engine.ts";
import { type EndpointState, endpointStateVersion } from "../datapath/endpoint-state.ts";
import { version } from "../version.ts";
import { type EngineModule, engineContracts } from "./engine-module.ts";

export type FrontendModule = EngineModule<AppEngineOptions, AppEngine, EndpointState>;

/** The frontend that this daemon was built with. */
export const builtInFrontend: FrontendModule = {
  name: "frontend",
  contract: engineContracts.frontend,
  version,
  stateVersion: endpointStateVersion,
  accepts: ({ version: theirs, stateVersion }) =>
    stateVersion === endpointStateVersion
      ? ""
      : `the frontend ${version} continues state of version ${endpointStateVersion}, the frontend ${theirs} hands over version ${stateVersion}`,
  create: (options) => new AppEndpoint(options),
  restore: (options, state) => {
    if (state.version !== endpointStateVersion) {
      throw new KoalaError(
        "ERR_ENGINE_STATE",
        `${state.label}: the frontend ${version} continues state of version ${endpointStateVersion}, this one has version ${state.version}; upgrade to a frontend that knows it`,
      );
    }
    return new AppEndpoint(options, state);
  },
};

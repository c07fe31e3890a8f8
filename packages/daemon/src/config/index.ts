/** Configuration of koalad: from `koala.toml`, environment and flags to a `Config`. */
export { type Address, formatAddress } from "./address.ts";
export {
  type ConfigInput,
  type ConfigProblems,
  type ConfigResult,
  checkConfig,
  type Override,
} from "./check.ts";
export type {
  Config,
  DaemonConfig,
  LimitsConfig,
  LinkConfig,
  LogConfig,
  MatchConfig,
  ModulesConfig,
  PeerConfig,
  PlacementConfig,
  PolicyConfig,
  RuntimeConfig,
} from "./config.ts";
export { formatDuration } from "./duration.ts";
export { type Host, readHost } from "./host.ts";
export {
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
  loadConfigFile,
  parseConfig,
} from "./load.ts";
export { type PolicyProblem, placeInPolicy } from "./policy-place.ts";
export { formatProblems, type Place, type Problem, type RelatedPlace } from "./problem.ts";
export { formatSize } from "./size.ts";
export { didYouMean, suggest } from "./suggestion.ts";

/**
 * What a policy author imports: `definePolicy` and the types around it.
 *
 * @packageDocumentation
 */
export { Origin, Status } from "@koala/interface";
export { z } from "zod";
export type {
  Caller,
  Endpoint,
  PolicyCall,
  PolicyMetadata,
  Side,
  StreamMessage,
  TraceContext,
} from "./call.ts";
export { type ConfigFile, configFileField, readConfigFile } from "./config-file.ts";
export type {
  Attempt,
  AttemptOptions,
  ControlContext,
  ControlPart,
  MirrorOptions,
  PolicyContext,
  PolicyTimer,
} from "./context.ts";
export {
  type ConfigProblem,
  definePolicy,
  isPolicy,
  type PolicyDefinition,
  type PreparedMethod,
} from "./definition.ts";
export { fits } from "./engine/selector.ts";
export {
  type DurationLimits,
  durationField,
  durationText,
  patternsField,
  probabilityField,
  statusField,
} from "./fields.ts";
export { KeyHash } from "./key-hash.ts";
export {
  type PolicyAbility,
  type PolicyNeeds,
  policyAbilities,
  policyContract,
  policyFeatures,
  policyHooks,
} from "./manifest.ts";
export { Verdict } from "./verdict.ts";

import { definePolicy, type PolicyDefinition } from "@koala/policy";
import { type NullConfig, nullConfig } from "./config.ts";

/** Has both handlers, so that a call pays for all that a policy costs, and does nothing in them. */
export const nullPolicy: PolicyDefinition<NullConfig> = definePolicy({
  name: "null",
  version: "1.0.0",
  config: nullConfig,
  onRequest() {},
  onResponse() {},
});

import type { DescService } from "@bufbuild/protobuf";
import type { PolicyDefinition } from "@koala/policy";
import type { ServiceSchema } from "@koala/schema";
import type { CallOptions, HarnessOptions } from "./harness-options.ts";

/** A configuration that the policy takes. */
export interface ValidConfig {
  /** Says in the test's name what is special about it. */
  readonly name: string;
  /** As it would stand in koala.toml. */
  readonly config: unknown;
}

/** A configuration that it refuses. */
export interface InvalidConfig extends ValidConfig {
  /** Where the first problem is: `rules.0.when`. "" is the table itself. */
  readonly path: string;
  /** What its message says. */
  readonly message?: RegExp;
}

/** A policy, and what the suite has to know to test it. */
export interface PolicySubject {
  readonly policy: PolicyDefinition;
  /** At least one; the first is the one that most tests use. */
  readonly validConfigs: readonly ValidConfig[];
  readonly invalidConfigs: readonly InvalidConfig[];
  /** The shop of this package when not given. */
  readonly service?: DescService | ServiceSchema;
  /** A call that the policy has to do with; `Find` when not given. */
  readonly method?: string;
  readonly request?: object;
  readonly call?: CallOptions;
  /** What harnesses need besides. */
  readonly harness?: Partial<HarnessOptions>;
  /** Keys of headers and trailers that the policy adds or changes by its nature. */
  readonly changesMetadata?: readonly string[];
  /** It replaces messages by its nature. */
  readonly changesMessages?: boolean;
  /** A configuration with which it denies the call above; undefined if it never denies. */
  readonly denies?: unknown;
  /** Longest time that it holds a call, by the fake clock; 60 s when not given. */
  readonly holdMsMax?: number;
}

import type { DescService } from "@bufbuild/protobuf";
import type { Caller, PolicyDefinition, Side } from "@koala/policy";
import type { Selector } from "@koala/policy/engine";
import type { ServiceSchema } from "@koala/schema";
import type { FakeClock } from "./fake-clock.ts";
import type { EndpointInit } from "./fake-endpoint.ts";
import type { Reply, Responder } from "./harness-call.ts";
import type { MetadataInit } from "./message-box.ts";

/** What a harness is made of. */
export interface HarnessOptions {
  readonly policy: PolicyDefinition;
  /** The `config` table, as it would stand in koala.toml; empty when not given. */
  readonly config?: unknown;
  /** The service whose methods are called: what protoc-gen-es generates, or a schema. */
  readonly service: DescService | ServiceSchema;
  /** Name of the attachment; the policy's name when not given. */
  readonly name?: string;
  /** Which calls it is attached to; all when not given. */
  readonly match?: Selector;
  /** In which daemon it acts; the caller's ("client") when not given. */
  readonly side?: Side;
  /** Servers to choose from; one called "server" when not given. */
  readonly endpoints?: readonly EndpointInit[];
  /** Answers all calls and attempts that don't say themselves what they are answered with. */
  readonly respond?: Responder;
  /** A clock to share with other harnesses; one of its own when not given. */
  readonly clock?: FakeClock;
  /** Which runtime of how many this one stands for; the only one when not given. */
  readonly runtime?: { readonly index: number; readonly count: number };
  /** `ctx.shared` of another harness, of which this one is another runtime. */
  readonly shared?: SharedArrayBuffer;
  /** Of `ctx.random()`; the same seed gives the same numbers. 1 when not given. */
  readonly seed?: number;
  /** Of `ctx.nowMicros()` and of the engine; the fake clock when not given. */
  readonly nowMicros?: () => number;
  readonly onFailure?: "open" | "closed";
  /**
   * A policy that throws is taken out of service. False: the harness throws, so that the test fails
   * where it happens. True: only `harness.failure` says so. False when not given.
   */
  readonly allowFailure?: boolean;
}

/** What a call is made of, besides its method and request. */
export interface CallOptions extends Reply {
  readonly caller?: Partial<Caller>;
  readonly target?: string;
  readonly metadata?: MetadataInit;
  /** Time until the deadline, by the fake clock; none when not given. */
  readonly timeoutMs?: number;
  /** Answers instead of the fields of the reply given here. */
  readonly respond?: Responder;
  readonly traceparent?: { readonly traceId: string; readonly spanId: string };
  /** The request's bytes are not a message of its type. */
  readonly malformed?: boolean;
}

/** Something a policy said to the outside. */
export interface Said {
  readonly what: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/** A copy of a request that a policy has sent elsewhere. */
export interface Mirrored {
  readonly target: string;
  readonly timeoutMs: number;
  readonly method: string;
  readonly request: Record<string, unknown>;
}

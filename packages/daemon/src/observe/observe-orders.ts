/** What the main thread asks the runtimes about calls, and what they answer. Plain data. */
import type { Selector } from "@koala/policy/engine";
import type { AppTraffic, TrafficStatus } from "@koala/protocol";
import type { CallRecord } from "./call-records.ts";

/** A message as it lay in memory. */
export interface RawMessage {
  readonly service: string;
  /** Hash of the schema that it is laid out by, and the index of its method there. */
  readonly schema: string;
  readonly method: number;
  readonly isReply: boolean;
  /** Of the whole message, or of all messages of a block of a stream. */
  readonly bytes: number;
  /** Messages in it: 1, or as many as a block of a stream has. */
  readonly count: number;
  /** Inline part and segments; undefined when that was too much to copy. */
  readonly content: Uint8Array<ArrayBuffer> | undefined;
  readonly inlineLength: number;
  readonly segmentLengths: readonly number[];
}

/** A call that taps want to see, after its end. */
export interface RawCall {
  /** Ids of the taps. */
  readonly taps: readonly number[];
  readonly record: CallRecord;
  /** One each, the first ones of a stream; none where there was none. */
  readonly requests: readonly RawMessage[];
  readonly replies: readonly RawMessage[];
  /** Headers as they were sent, for policies that are tried; undefined when there were none, or too many. */
  readonly metadata: Uint8Array<ArrayBuffer> | undefined;
  /** Labels of the caller, for conditions. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What is to be tapped. */
export interface TapOrder {
  readonly id: number;
  /** Without a side: a call is tapped where it comes into this daemon. */
  readonly selector: Selector;
  /** Calls a second and runtime, at most. */
  readonly callsPerSecond: number;
  /** Messages that are longer are not copied. */
  readonly messageBytesMax: number;
}

export type ObserveStep =
  | { readonly name: "find"; readonly id: string }
  | { readonly name: "newest"; readonly last: number; readonly isFailed: boolean }
  | { readonly name: "traffic" }
  | { readonly name: "tap"; readonly tap: TapOrder }
  | { readonly name: "untap"; readonly id: number }
  /** All versions of a service that the runtime knows. */
  | { readonly name: "schemas"; readonly service: string };

/** One version of a service. */
export interface KnownSchema {
  readonly hash: string;
  readonly descriptorSet: Uint8Array;
  /** Descriptors of other apps with the same layout; nobody has checked them. */
  readonly others: readonly Uint8Array[];
}

export interface ObserveAnswer {
  readonly calls: readonly CallRecord[];
  readonly apps: readonly AppTraffic[];
  readonly traffic: readonly TrafficStatus[];
  readonly schemas: readonly KnownSchema[];
}

/** Main thread to runtime. */
export interface ObserveCommand {
  readonly op: "observe";
  readonly seq: number;
  readonly step: ObserveStep;
}

/** Runtime to main thread. */
export type ObserveNotice =
  | {
      readonly op: "observe";
      readonly runtime: number;
      readonly seq: number;
      readonly answer: ObserveAnswer;
    }
  | {
      readonly op: "tapped";
      readonly runtime: number;
      readonly calls: readonly RawCall[];
      /** By tap: calls that were not copied because there were too many. */
      readonly missed: readonly (readonly [tap: number, calls: number])[];
    };

/** A runtime and calls that are nothing but what the engine sees of them. */
import { Origin, Status } from "@koala/interface";
import type { MethodSchema } from "@koala/schema";
import { definePolicy, type PolicyDefinition } from "../definition.ts";
import { z } from "../index.ts";
import type { CallSource, MessageSource } from "./call-source.ts";
import { buildChain, type Chain } from "./chain.ts";
import { LiveCall } from "./live-call.ts";
import { Slot, type SlotHost } from "./slot.ts";

/** What happened, in order. */
export type Journal = string[];

const noMessage: MessageSource = {
  bytes: 0,
  read: () => undefined,
  replace: () => {},
  entries: () => [],
  setEntries: () => {},
};

const method = { name: "Find" } as MethodSchema;

/** A clock that handlers can move. */
export interface FakeHost extends SlotHost {
  micros: number;
  /** Processor time, µs. */
  cpu: number;
  readonly round: { serial: number };
  readonly failures: string[];
  /** Timers that are set, by what they do. */
  readonly timers: Set<() => void>;
}

export function createHost(): FakeHost {
  const timers = new Set<() => void>();
  const host: FakeHost = {
    micros: 0,
    cpu: 0,
    round: { serial: 0 },
    failures: [],
    timers,
    runtime: { index: 0, count: 1 },
    running: new Int32Array(1),
    nowMs: () => host.micros / 1000,
    nowMicros: () => host.micros,
    cpuMicros: () => host.cpu,
    random: () => 0.5,
    timer: (fire) => ({
      set: () => void timers.add(fire),
      clear: () => void timers.delete(fire),
    }),
    warn: () => {},
    event: () => {},
    notify: () => true,
    attempt: () => {
      throw new Error("not here");
    },
    mirror: () => false,
    failed: (_slot, reason) => void host.failures.push(reason),
  };
  return host;
}

export function createSlot(
  host: SlotHost,
  name: string,
  handlers: Partial<PolicyDefinition>,
  options: { onFailure?: "open" | "closed"; config?: unknown } = {},
): Slot {
  return new Slot({
    id: 7,
    name,
    definition: definePolicy({
      name,
      version: "1.0.0",
      config: z.unknown(),
      ...handlers,
    }) as PolicyDefinition,
    config: options.config ?? {},
    shared: new SharedArrayBuffer(0),
    onFailure: options.onFailure ?? "closed",
    budgetMicros: 1000,
    host,
  });
}

export function createChain(client: readonly Slot[], server: readonly Slot[] = []): Chain {
  return buildChain(client, server, { service: "shop.v1.Shop", method })!;
}

/** A call at the begin of a chain. `onWake` stands for the datapath. */
export function createCall(chain: Chain, onWake: () => void = () => {}): LiveCall {
  const source: CallSource = {
    requestId: "r-1",
    target: "shop",
    service: "shop.v1.Shop",
    method,
    caller: { app: "test", host: "", uid: 0, pid: 0, labels: {} },
    timeLeftMs: 0,
    endpoint: undefined,
    request: noMessage,
    response: noMessage,
    status: Status.OK,
    origin: Origin.REMOTE_APP,
    statusMessage: "",
    trace: undefined,
    priority: 0,
    wake: onWake,
  };
  const call = new LiveCall(source);
  call.begin(chain);
  return call;
}

/** A policy that writes down what it sees. */
export function listener(journal: Journal, name: string): Partial<PolicyDefinition> {
  return {
    onRequest: () => {
      journal.push(`${name} request`);
      return undefined;
    },
    onResponse: () => {
      journal.push(`${name} response`);
      return undefined;
    },
  };
}

/** What this runtime gives to the policies that run in it; see `SlotHost`. */
import type { Slot, SlotHost } from "@koala/policy/engine";
import type { EventFields } from "@koala/protocol";
import { type Runtime, Timer } from "@koala/runtime";
import type { Router } from "../datapath/router.ts";

import type { AreaLog } from "../log/index.ts";

/** Warnings that one policy may write in a window; the rest is counted and told with the next one. */
const warningsPerWindow = 10;
const windowMs = 10_000;

export interface SlotHostOptions {
  runtime: Runtime;
  router: Router;
  log: AreaLog;
  /** Which runtime this is, and how many there are. */
  place: { readonly index: number; readonly count: number };
  /** Monotonic clock, microseconds. */
  nowMicros: () => number;
  /** Processor time of this thread, microseconds. */
  cpuMicros: () => number;
  /** The heartbeat's word for the slot whose handler runs. */
  running: Int32Array;
  emitEvent: (topic: "policy", name: string, fields: EventFields) => void;
  /** A message to the control part of a slot's attachment; false when too many wait already. */
  post: (slot: Slot, message: unknown) => boolean;
  /** A policy was taken out. */
  onFailed: (slot: Slot, reason: string) => void;
}

interface Warnings {
  sinceMs: number;
  count: number;
  unwritten: number;
}

export function createSlotHost(options: SlotHostOptions): SlotHost {
  const { runtime, router, log, place } = options;
  const warnings = new WeakMap<Slot, Warnings>();

  const warn = (slot: Slot, message: string, fields: EventFields): void => {
    let state = warnings.get(slot);
    if (state === undefined || runtime.nowMs - state.sinceMs > windowMs) {
      state = { sinceMs: runtime.nowMs, count: 0, unwritten: state?.unwritten ?? 0 };
      warnings.set(slot, state);
    }
    state.count++;
    if (state.count > warningsPerWindow) {
      state.unwritten++;
      return;
    }
    const { unwritten } = state;
    state.unwritten = 0;
    log.warn(message, { policy: slot.name, ...fields, ...(unwritten > 0 ? { unwritten } : {}) });
  };

  return {
    runtime: place,
    running: options.running,
    nowMs: () => runtime.nowMs,
    nowMicros: options.nowMicros,
    cpuMicros: options.cpuMicros,
    round: runtime.progress,
    random: Math.random,
    timer: (fire) => {
      const timer = new Timer(fire);
      return {
        set: (afterMs) => runtime.timers.set(timer, runtime.nowMs + afterMs),
        clear: () => runtime.timers.clear(timer),
      };
    },
    warn,
    event: (slot, name, fields) => {
      options.emitEvent("policy", name, { policy: slot.name, ...fields });
    },
    notify: options.post,
    attempt: (slot, call, attempt) => router.policyParty.attempt(slot, call, attempt),
    mirror: (slot, call, mirror) => router.policyParty.mirror(slot, call, mirror),
    failed: (slot, reason) => {
      log.error("a policy failed and is out of service", {
        policy: slot.name,
        onFailure: slot.onFailure,
        reason,
      });
      options.onFailed(slot, reason);
    },
  };
}

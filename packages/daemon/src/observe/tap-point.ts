/**
 * Copies of calls for taps, in one runtime: bounded in size and in rate, so that whoever looks on takes
 * nothing from the calls but a little time. A call is tapped where it comes into this daemon, before any
 * policy; what is not copied is counted.
 *
 * The bytes are copied as they lie there, from memory that an app may still write to. Whoever decodes
 * them checks the copy.
 */
import { isSelected } from "@koala/policy/engine";
import { type Runtime, Timer } from "@koala/runtime";
import type { ServiceSchema } from "@koala/schema";
import { openMemory } from "@koala/shm";
import { AppPort } from "../datapath/app-port.ts";
import type { Binding } from "../datapath/binding.ts";
import type { Body } from "../datapath/body.ts";
import type { Call } from "../datapath/call.ts";
import { copyBytes } from "../datapath/copy-bytes.ts";
import type { CallRecord } from "./call-records.ts";
import type { RawCall, RawMessage, TapOrder } from "./observe-orders.ts";

/** Bytes a second that are copied for all taps together. */
const bytesPerSecond = 8 * 1024 * 1024;
/** Calls that may wait to be handed over, and for how long. */
const batchMax = 64;
const batchMs = 20;

/** What one call leaves behind. */
export interface Capture {
  readonly taps: readonly ActiveTap[];
  readonly requests: RawMessage[];
  readonly replies: RawMessage[];
  metadata: Uint8Array<ArrayBuffer> | undefined;
}

interface ActiveTap extends TapOrder {
  tokens: number;
  missed: number;
}

/** Gets what was tapped. */
export type TapSink = (
  calls: readonly RawCall[],
  missed: readonly (readonly [tap: number, calls: number])[],
) => void;

export class TapPoint {
  isActive = false;
  onTapped: TapSink = () => {};
  private readonly runtime: Runtime;
  private readonly onChange: () => void;
  private taps: ActiveTap[] = [];
  /** By binding and method; dropped with each change. */
  private selected = new WeakMap<Binding, (readonly ActiveTap[])[]>();
  private bytesLeft = bytesPerSecond;
  private filledMs = 0;
  private pending: RawCall[] = [];
  private readonly timer: Timer;

  /** `onChange` is told when there is a tap where there was none before, or the other way round. */
  constructor(runtime: Runtime, onChange: () => void) {
    this.runtime = runtime;
    this.onChange = onChange;
    this.timer = new Timer(() => this.flush());
  }

  add(tap: TapOrder): void {
    this.remove(tap.id);
    this.change([...this.taps, { ...tap, tokens: tap.callsPerSecond, missed: 0 }]);
  }

  remove(id: number): void {
    if (!this.taps.some((tap) => tap.id === id)) return;
    this.flush();
    this.change(this.taps.filter((tap) => tap.id !== id));
  }

  /** A call has come in: what it is to leave behind, if anything. */
  open(call: Call): Capture | null {
    const taps = this.tapsOf(call);
    if (taps.length === 0) return null;
    this.fill();
    const takers: ActiveTap[] = [];
    for (const tap of taps) {
      if (tap.tokens < 1) {
        tap.missed++;
        continue;
      }
      tap.tokens--;
      takers.push(tap);
    }
    if (takers.length > 0) return { taps: takers, requests: [], replies: [], metadata: undefined };
    this.arm();
    return null;
  }

  /** A copy of a message for the taps of a call. */
  copy(
    body: Body,
    schema: ServiceSchema,
    method: number,
    isReply: boolean,
    { taps }: Capture,
  ): RawMessage {
    const bytes = body.bodyBytes();
    const { inlineLength, segmentCount } = body;
    const count = Math.max(1, body.count);
    const head = { service: schema.typeName, schema: schema.hash, method, isReply, bytes, count };
    const isAllowed = taps.some(({ messageBytesMax }) => bytes <= messageBytesMax);
    if (!isAllowed || bytes > this.bytesLeft || inlineLength === 0) {
      return { ...head, content: undefined, inlineLength, segmentLengths: [] };
    }
    this.bytesLeft -= bytes;
    const memory = openMemory(new ArrayBuffer(Math.max(8, bytes)));
    copyBytes(body.memory, body.offset, memory, 0, inlineLength);
    body.copySegments(memory, inlineLength);
    const segmentLengths = [...body.segmentLengths.subarray(0, segmentCount)];
    return { ...head, content: new Uint8Array(memory.buffer), inlineLength, segmentLengths };
  }

  /** The schema that the reply of a call is laid out by. */
  replySchemaOf({ binding, callee, calleeTarget, replyTranscoder }: Call): ServiceSchema {
    const own = binding!.schema;
    if (replyTranscoder === null || !(callee instanceof AppPort)) return own;
    return callee.exports[calleeTarget]?.schema ?? own;
  }

  /** A tapped call has ended. */
  close(record: CallRecord, capture: Capture, labels: RawCall["labels"]): void {
    const { requests, replies, metadata } = capture;
    const taps = capture.taps.map(({ id }) => id);
    this.pending.push({ taps, record, requests, replies, metadata, labels });
    if (this.pending.length >= batchMax) this.flush();
    else this.arm();
  }

  private change(taps: ActiveTap[]): void {
    this.taps = taps;
    this.isActive = taps.length > 0;
    this.selected = new WeakMap();
    this.onChange();
  }

  private tapsOf({ binding, method }: Call): readonly ActiveTap[] {
    const { index } = method!;
    let byMethod = this.selected.get(binding!);
    if (byMethod === undefined) {
      byMethod = [];
      this.selected.set(binding!, byMethod);
    }
    let taps = byMethod[index];
    if (taps === undefined) {
      taps = this.taps.filter(({ selector }) => isTapped(selector, binding!, method!.name));
      byMethod[index] = taps;
    }
    return taps;
  }

  private fill(): void {
    const seconds = (this.runtime.nowMs - this.filledMs) / 1000;
    if (seconds <= 0) return;
    this.filledMs = this.runtime.nowMs;
    this.bytesLeft = Math.min(bytesPerSecond, this.bytesLeft + seconds * bytesPerSecond);
    for (const tap of this.taps) {
      tap.tokens = Math.min(tap.callsPerSecond, tap.tokens + seconds * tap.callsPerSecond);
    }
  }

  private arm(): void {
    if (this.timer.bucket < 0) this.runtime.timers.set(this.timer, this.runtime.nowMs + batchMs);
  }

  private flush(): void {
    this.runtime.timers.clear(this.timer);
    const missed = this.taps.flatMap((tap): [number, number][] => {
      const { id, missed: count } = tap;
      tap.missed = 0;
      return count === 0 ? [] : [[id, count]];
    });
    const calls = this.pending;
    this.pending = [];
    if (calls.length > 0 || missed.length > 0) this.onTapped(calls, missed);
  }
}

/** A call that another runtime of this daemon has sent here was tapped there. */
function isTapped(selector: TapOrder["selector"], binding: Binding, method: string): boolean {
  const { reach, schema, target, identity: caller } = binding;
  if (reach === "nowhere") return false;
  const side = reach === "anywhere" ? "client" : "server";
  return isSelected(selector, { service: schema.typeName, method, target, caller, side });
}

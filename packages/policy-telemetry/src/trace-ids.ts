/** Ids of traces and spans, and the header that carries them between services that know no frames. */
import { randomFillSync } from "node:crypto";
import type { TraceContext } from "@koala/policy";

/** Random bytes that are taken from the system at a time: enough for some 340 traces. */
const poolBytes = 8192;
const traceDigits = 32;
const spanDigits = 16;

/**
 * Random ids in hex. Digits are made thousands at a time; an id is a slice of them, which costs neither a
 * system call nor a copy. That an id is all zeros, which W3C forbids, is as likely as that two are equal.
 */
export class TraceIds {
  private readonly pool = Buffer.alloc(poolBytes);
  private digits = "";
  private at = 0;

  /** Makes the first digits, so that no call waits for the system's generator to get ready. */
  constructor() {
    this.refill();
  }

  traceId(): string {
    return this.take(traceDigits);
  }

  spanId(): string {
    return this.take(spanDigits);
  }

  private take(count: number): string {
    if (this.at + count > this.digits.length) this.refill();
    const begin = this.at;
    this.at += count;
    return this.digits.slice(begin, this.at);
  }

  private refill(): void {
    this.digits = randomFillSync(this.pool).toString("hex");
    this.at = 0;
  }
}

/** The `traceparent` header of W3C Trace Context; undefined when it is malformed, which means: not there. */
export function readTraceParent(text: string): TraceContext | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = match;
  // Version 00 ends here; later ones may say more; ff is none.
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header for a context, in version 00. */
export function formatTraceParent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? "01" : "00"}`;
}

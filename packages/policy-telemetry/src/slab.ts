/**
 * Where the numbers are: `ctx.shared` is cut into one slab for each runtime. A slab has one writer, the
 * instance of its runtime, so plain stores suffice; the control part reads all of them whenever it likes.
 * Names are in there, too, so that neither a restart of the control part nor an upgrade loses any.
 *
 *   slab     0  layout version, u32     4  series in use, u32
 *            8  spans made, f64        16  spans dropped, f64
 *           24  stamp, u32             28  nothing                 (64 bytes)
 *   series   0  names (512 bytes)     512  numbers (f64 each)      (one after another)
 *
 * A number is a float: whole up to 2^53, and eight aligned bytes, which x86-64 and 64-bit ARM read and write
 * in one piece.
 */
import { statusCount } from "@koala/interface";
import { bucketCount } from "./histogram.ts";

/** Changes with what numbers mean, or where they are. Others may be added where there was nothing but zeros. */
export const layoutVersion = 1;

const headBytes = 64;
const nameBytes = 512;

/** How many origins there are; the outcomes of a series are a table of statuses by origins. */
export const originCount = 6;

/** The numbers of a series, as positions from the first one. */
export const Position: {
  readonly STARTED: number;
  readonly REQUEST_BYTES: number;
  readonly RESPONSE_BYTES: number;
  readonly DURATION_MICROS: number;
  /** One for each status and origin: the status times `originCount`, plus the origin. */
  readonly OUTCOMES: number;
  readonly BUCKETS: number;
  /** Messages of streams: of clients, and of servers. */
  readonly REQUEST_MESSAGES: number;
  readonly RESPONSE_MESSAGES: number;
} = {
  STARTED: 0,
  REQUEST_BYTES: 1,
  RESPONSE_BYTES: 2,
  DURATION_MICROS: 3,
  OUTCOMES: 4,
  BUCKETS: 4 + statusCount * originCount,
  REQUEST_MESSAGES: 4 + statusCount * originCount + bucketCount,
  RESPONSE_MESSAGES: 5 + statusCount * originCount + bucketCount,
};

/** Numbers of a series, rounded up to whole cache lines: two runtimes never write to the same line. */
export const numberCount: number = (Position.RESPONSE_MESSAGES + 1 + 7) & ~7;

const seriesBytes = nameBytes + numberCount * 8;

/** Totals of a slab, as positions in `Slab.totals`. */
export const Total = { SPANS: 0, SPANS_DROPPED: 1 } as const;

/** Memory for so many series in each runtime. */
export function sharedBytesFor(seriesMax: number, runtimes: number): number {
  return runtimes * (headBytes + seriesMax * seriesBytes);
}

/** The part of `ctx.shared` that one runtime writes. */
export class Slab {
  /** `[0]` layout version, `[1]` series in use, `[6]` stamp; see the head of this file. */
  readonly head: Int32Array;
  /** See `Total`. */
  readonly totals: Float64Array;
  /** All of the shared memory, as numbers. */
  readonly numbers: Float64Array;
  readonly seriesMax: number;
  private readonly shared: SharedArrayBuffer;
  private readonly offset: number;

  constructor(shared: SharedArrayBuffer, runtime: number, runtimes: number) {
    const bytes = Math.floor(shared.byteLength / runtimes / headBytes) * headBytes;
    this.shared = shared;
    this.offset = runtime * bytes;
    this.seriesMax = Math.floor((bytes - headBytes) / seriesBytes);
    this.head = new Int32Array(shared, this.offset, 8);
    this.totals = new Float64Array(shared, this.offset + 8, 2);
    this.numbers = new Float64Array(shared);
  }

  /** A random number by which places in this memory are told from places in memory before it. */
  get stamp(): number {
    return this.head[6]!;
  }

  /** Series whose names are there. */
  get count(): number {
    return Math.min(Atomics.load(this.head, 1), this.seriesMax);
  }

  /** Position in `numbers` of a series' first number. */
  baseOf(series: number): number {
    return (this.offset + headBytes + series * seriesBytes + nameBytes) / 8;
  }

  /** Room for the names of a series. */
  namesOf(series: number): Buffer {
    const at = this.offset + headBytes + series * seriesBytes;
    return Buffer.from(this.shared, at, nameBytes);
  }
}

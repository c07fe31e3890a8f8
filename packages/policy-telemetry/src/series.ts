/** Series: the combinations of side, method and caller that are counted apart. */
import { randomInt } from "node:crypto";
import { KoalaError, Origin, Status } from "@koala/interface";
import type { Side } from "@koala/policy";
import type { MethodKind, MethodSchema } from "@koala/schema";
import { layoutVersion, numberCount, originCount, Position, Slab, Total } from "./slab.ts";

/** What a series counts. */
export interface SeriesNames {
  readonly side: Side;
  readonly kind: MethodKind;
  readonly service: string;
  readonly method: string;
  /** "" when callers are not counted apart. */
  readonly caller: string;
}

/** A series with a copy of its numbers; see `Position`. */
export interface SeriesSnapshot extends SeriesNames {
  readonly numbers: Float64Array;
}

/** Stands for all that has no series of its own. */
export const otherName = "_other";

const sides: readonly Side[] = ["client", "server"];
const kinds: readonly MethodKind[] = [
  "unary",
  "server_streaming",
  "client_streaming",
  "bidi_streaming",
];

/** Longest names that are kept, in bytes of UTF-8: with two and three bytes in front they fill the room. */
const nameLimits = [255, 124, 128] as const;

/** The series of one runtime, for the one who writes them. */
export class SeriesTable {
  readonly slab: Slab;
  private readonly bases = new Map<string, number>();

  /** Takes over what an instance before this one has counted. */
  constructor(slab: Slab) {
    this.slab = slab;
    const layout = slab.head[0]!;
    if (layout !== 0 && layout !== layoutVersion) {
      throw new KoalaError(
        "ERR_TELEMETRY_STATE",
        `The shared memory of the attachment has layout ${layout}, this version knows ${layoutVersion} only. Detach the policy and attach it again; its numbers then begin at zero.`,
      );
    }
    if (layout === 0) slab.head[6] = randomInt(1, 2 ** 31);
    slab.head[0] = layoutVersion;
    for (let series = 0; series < slab.count; series++) {
      this.bases.set(keyOf(readNames(slab, series)), slab.baseOf(series));
    }
    for (const side of sides) this.add(othersOf(side));
  }

  get size(): number {
    return this.slab.count;
  }

  /** Whether any call has been counted. */
  get isFresh(): boolean {
    return this.size <= sides.length;
  }

  /**
   * Where the numbers of these names are. When room gets scarce, callers that come new to a method share
   * a series, and when there is none left, methods do: see `otherName`.
   */
  baseOf(names: SeriesNames): number {
    const known = this.bases.get(keyOf(names));
    if (known !== undefined) return known;
    const free = this.slab.seriesMax - this.size;
    if (free > this.slab.seriesMax >> 2) return this.add(names);
    const shared: SeriesNames = { ...names, caller: names.caller === "" ? "" : otherName };
    const base = this.bases.get(keyOf(shared));
    if (base !== undefined) return base;
    return free > 0 ? this.add(shared) : this.bases.get(keyOf(othersOf(names.side)))!;
  }

  /** Adds what another instance has counted. */
  load(saved: readonly SeriesSnapshot[]): void {
    const { numbers } = this.slab;
    for (const series of saved) {
      const base = this.baseOf(series);
      for (let i = 0; i < numberCount; i++) numbers[base + i]! += series.numbers[i] ?? 0;
    }
  }

  /**
   * The runtime has been made anew: calls that were in flight in it have ended without an `onResponse`, as
   * a failed runtime ends them.
   */
  endLost(): void {
    const { numbers } = this.slab;
    const lost = Position.OUTCOMES + Status.UNAVAILABLE * originCount + Origin.LOCAL_DAEMON;
    for (const base of this.bases.values()) {
      const first = base + Position.OUTCOMES;
      let ended = 0;
      for (let at = first; at < base + Position.BUCKETS; at++) ended += numbers[at]!;
      numbers[base + lost]! += Math.max(0, numbers[base + Position.STARTED]! - ended);
    }
  }

  private add(names: SeriesNames): number {
    const key = keyOf(names);
    const known = this.bases.get(key);
    if (known !== undefined) return known;
    const { slab } = this;
    const series = slab.count;
    writeNames(slab, series, names);
    const base = slab.baseOf(series);
    this.bases.set(key, base);
    // The names first: whoever sees the count finds them.
    Atomics.store(slab.head, 1, series + 1);
    return base;
  }
}

/** The names of a method's series on one side, for one caller. */
export function namesOf(
  side: Side,
  service: string,
  method: MethodSchema,
  caller: string,
): SeriesNames {
  return { side, kind: method.kind, service, method: method.name, caller };
}

/** The series of a slab that have counted something. */
export function readSlab(slab: Slab): SeriesSnapshot[] {
  const found: SeriesSnapshot[] = [];
  for (let series = 0; series < slab.count; series++) {
    const base = slab.baseOf(series);
    if (slab.numbers[base + Position.STARTED] === 0) continue;
    const numbers = slab.numbers.slice(base, base + numberCount);
    found.push({ ...readNames(slab, series), numbers });
  }
  return found;
}

/** The totals of all runtimes. */
export interface Totals {
  series: number;
  seriesMax: number;
  /** Calls that have no series of their own. */
  overflow: number;
  spans: number;
  spansDropped: number;
}

/** What all runtimes have counted: series of the same names are added up, in the order of their names. */
export function readShared(
  shared: SharedArrayBuffer,
  runtimes: number,
): { series: SeriesSnapshot[]; totals: Totals } {
  const totals: Totals = { series: 0, seriesMax: 0, overflow: 0, spans: 0, spansDropped: 0 };
  const all: SeriesSnapshot[] = [];
  for (let runtime = 0; runtime < runtimes; runtime++) {
    const slab = new Slab(shared, runtime, runtimes);
    if (slab.head[0] !== layoutVersion) continue;
    totals.series += slab.count;
    totals.seriesMax += slab.seriesMax;
    totals.spans += slab.totals[Total.SPANS]!;
    totals.spansDropped += slab.totals[Total.SPANS_DROPPED]!;
    all.push(...readSlab(slab));
  }
  for (const { caller, numbers } of all) {
    if (caller === otherName) totals.overflow += numbers[Position.STARTED]!;
  }
  return { series: merged(all, keyOf), totals };
}

/** Adds up the series that have the same key; the names are those of the first. */
export function merged(
  all: readonly SeriesSnapshot[],
  key: (names: SeriesNames) => string,
): SeriesSnapshot[] {
  const byKey = new Map<string, SeriesSnapshot>();
  for (const series of all) {
    const first = byKey.get(key(series));
    if (first === undefined) {
      byKey.set(key(series), { ...series, numbers: series.numbers.slice() });
      continue;
    }
    for (let i = 0; i < numberCount; i++) first.numbers[i]! += series.numbers[i]!;
  }
  return [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, series]) => series);
}

function othersOf(side: Side): SeriesNames {
  return { side, kind: "unary", service: otherName, method: otherName, caller: otherName };
}

function keyOf(names: SeriesNames): string {
  const texts = [names.service, names.method, names.caller].map((text, index) =>
    shortened(text, nameLimits[index]!).toString(),
  );
  return [names.side, names.kind, ...texts].join("\0");
}

function writeNames(slab: Slab, series: number, names: SeriesNames): void {
  const room = slab.namesOf(series);
  const texts = [names.service, names.method, names.caller].map((text, index) =>
    shortened(text, nameLimits[index]!),
  );
  room[0] = sides.indexOf(names.side);
  room[1] = kinds.indexOf(names.kind);
  let at = 2 + texts.length;
  texts.forEach((text, index) => {
    room[2 + index] = text.length;
    text.copy(room, at);
    at += text.length;
  });
}

function readNames(slab: Slab, series: number): SeriesNames {
  const room = slab.namesOf(series);
  let at = 2 + nameLimits.length;
  const texts = nameLimits.map((_, index) => {
    const end = at + room[2 + index]!;
    const text = room.toString("utf8", at, end);
    at = end;
    return text;
  });
  const [service = "", method = "", caller = ""] = texts;
  const side = sides[room[0]!] ?? "client";
  return { side, kind: kinds[room[1]!] ?? "unary", service, method, caller };
}

/** The text as UTF-8, cut between two characters if it is too long. */
function shortened(text: string, bytesMax: number): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return bytes;
  let end = bytesMax;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

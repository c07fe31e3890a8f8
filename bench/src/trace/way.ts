/**
 * The way of a call, as trace points in the order in which a call alone on its way passes them. Each stretch
 * between two points counts for a part of the way; several stretches may make up one part.
 */
import { type TraceNote, TracePoint } from "@koala/shm";

/** Which program has noted something. */
export type Place = "client" | "near" | "far" | "server";

/** A note, and where it was made. */
export interface PlacedNote extends TraceNote {
  readonly place: Place;
}

/** A point, and the part that the stretch before it belongs to. */
interface Station {
  readonly place: Place;
  readonly point: TracePoint;
  readonly part: string;
}

export type Way = readonly Station[];

const P = TracePoint;

function station(place: Place, point: TracePoint, part: string): Station {
  return { place, point, part };
}

/** The way up to the slot in the send ring. */
const submission: Way = [
  station("client", P.CALL, ""),
  station("client", P.SUBMITTED, "client writes the request"),
  station("client", P.PUBLISHED, "client writes the request"),
];

const service: Way = [
  station("server", P.ARRIVED, "ring to the server"),
  station("server", P.HANDLER_BEGUN, "server reads the request"),
  station("server", P.HANDLER_ENDED, "handler"),
  station("server", P.PUBLISHED, "server writes the reply"),
];

const settlement: Way = [
  station("client", P.REPLY_ARRIVED, "ring to the client"),
  station("client", P.CALL, "client reads the reply"),
];

/** App, daemon, daemon, app. The last point is the first one of the next call. */
export const linkedWay: Way = [
  ...submission,
  station("near", P.TAKEN, "ring to daemon A"),
  station("near", P.HANDED, "daemon A, request"),
  station("near", P.SENDING, "daemon A, request"),
  station("far", P.RECEIVED, "socket to daemon B"),
  station("far", P.TAKEN, "daemon B, request"),
  station("far", P.HANDED, "daemon B, request"),
  station("far", P.PUBLISHED, "daemon B, request"),
  ...service,
  station("far", P.REPLY_TAKEN, "ring to daemon B"),
  station("far", P.SENDING, "daemon B, reply"),
  station("near", P.RECEIVED, "socket to daemon A"),
  station("near", P.REPLY_TAKEN, "daemon A, reply"),
  station("near", P.PUBLISHED, "daemon A, reply"),
  ...settlement,
];

/** App, daemon, app. */
export const localWay: Way = [
  ...submission,
  station("near", P.TAKEN, "ring to the daemon"),
  station("near", P.HANDED, "daemon, request"),
  station("near", P.PUBLISHED, "daemon, request"),
  ...service,
  station("near", P.REPLY_TAKEN, "ring to the daemon, reply"),
  station("near", P.PUBLISHED, "daemon, reply"),
  ...settlement,
];

/** The parts of a way, in order. */
export function partsOf(way: Way): string[] {
  return [...new Set(way.slice(1).map(({ part }) => part))];
}

/** One call, in microseconds. */
export interface TracedCall {
  /** In the order of `partsOf`. */
  readonly parts: readonly number[];
  readonly total: number;
  /** In policies, of all daemons, requests and replies. */
  readonly policies: number;
  /** In the system calls that give bytes to sockets. */
  readonly sending: number;
  /** Doorbells that were rung. */
  readonly rings: number;
}

/** What the notes came to. */
export interface TracedCalls {
  readonly calls: readonly TracedCall[];
  /** Calls some of whose points are missing, or not in order. */
  readonly incomplete: number;
}

/** Finds the calls in notes of programs that had one call in flight. */
export function readCalls(notes: readonly PlacedNote[], way: Way): TracedCalls {
  const parts = partsOf(way);
  const partAt = way.map(({ part }) => parts.indexOf(part));
  const sorted = notes.toSorted((a, b) => a.micros - b.micros);
  const calls: TracedCall[] = [];
  let incomplete = 0;
  let reader: CallReader | null = null;
  for (const note of sorted) {
    const isCall = note.place === "client" && note.point === P.CALL;
    if (!isCall) {
      reader?.take(note);
      continue;
    }
    const call = reader?.end(note, partAt, parts.length);
    if (call === null) incomplete++;
    else if (call !== undefined) calls.push(call);
    reader = new CallReader(way, note.micros);
  }
  return { calls, incomplete };
}

/** Follows one call. */
class CallReader {
  private readonly way: Way;
  private readonly times: number[];
  private readonly openedAt = new Map<string, number>();
  private policies = 0;
  private sending = 0;
  private rings = 0;

  constructor(way: Way, beganAt: number) {
    this.way = way;
    this.times = [beganAt];
  }

  take(note: PlacedNote): void {
    this.takeAside(note);
    const next = this.way[this.times.length]!;
    if (next.place === note.place && next.point === note.point) {
      if (this.times.length < this.way.length - 1) this.times.push(note.micros);
      return;
    }
    // Something else may have come from the socket before: what counts is what the call came with.
    const last = this.way[this.times.length - 1]!;
    if (note.point === P.RECEIVED && last.place === note.place && last.point === note.point) {
      this.times[this.times.length - 1] = note.micros;
    }
  }

  /** With the beginning of the next call; null when something was missing. */
  end(note: PlacedNote, partAt: readonly number[], partCount: number): TracedCall | null {
    if (this.times.length !== this.way.length - 1) return null;
    this.times.push(note.micros);
    const parts = new Array<number>(partCount).fill(0);
    for (let i = 1; i < this.times.length; i++) {
      parts[partAt[i]!]! += this.times[i]! - this.times[i - 1]!;
    }
    const { policies, sending, rings } = this;
    return { parts, total: note.micros - this.times[0]!, policies, sending, rings };
  }

  /** What lies within parts. */
  private takeAside({ place, point, micros }: PlacedNote): void {
    switch (point) {
      case P.RUNG:
        this.rings++;
        return;
      case P.POLICIES_BEGUN:
      case P.SENDING:
        this.openedAt.set(`${place} ${point}`, micros);
        return;
      case P.POLICIES_PASSED:
        this.policies += micros - (this.openedAt.get(`${place} ${P.POLICIES_BEGUN}`) ?? micros);
        return;
      case P.SENT:
        this.sending += micros - (this.openedAt.get(`${place} ${P.SENDING}`) ?? micros);
    }
  }
}

/**
 * When a call passed the points of its way, noted by every process that it crosses. For measurements: nothing is
 * noted unless `KOALA_TRACE` names a folder when the process starts.
 *
 * ```
 *  file PID-THREAD.trace, mapped: what a process that dies has noted is there
 *    0  u32  notes ever made, modulo 2^32
 *   64  note 0 │ note 1 │ … │ note 65535      start over when all are used
 *       f64 microseconds of CLOCK_MONOTONIC, which all processes of the host share │ u32 point │ u32 id
 * ```
 *
 * What it costs when it is off: a comparison of a module's constant with null at each point.
 */
import { closeSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { KoalaError, messageOf } from "@koala/interface";
import { monotonicMicros, regionMap } from "@koala/native";
import { type Memory, openMemory } from "./memory.ts";

/** The points. What `id` is stands behind each; 0 where nothing does. */
export const TracePoint = {
  /** App: the function of a client was called. */
  CALL: 1,
  /** App: the slot of a call was written; the call's id. */
  SUBMITTED: 2,
  /** App, daemon: slots are about to be made visible to the other end of a ring. */
  PUBLISHED: 3,
  /** App, daemon: the doorbell of whoever slept there was rung. */
  RUNG: 4,
  /** Daemon: a request was taken, from an app or from a link; the call's id in this daemon. */
  TAKEN: 5,
  /** Daemon: a message begins to pass policies, and has passed them; the call's id. */
  POLICIES_BEGUN: 6,
  POLICIES_PASSED: 7,
  /** Daemon: the request was handed to whoever serves it; the call's id. */
  HANDED: 8,
  /** Daemon: bytes are about to be given to a socket, and were. */
  SENDING: 9,
  SENT: 10,
  /** Daemon: bytes came from a socket. */
  RECEIVED: 11,
  /** App: a call that it serves was taken; the call's id in the daemon. */
  ARRIVED: 12,
  /** App: its handler is about to run, and has its result; the call's id in the daemon. */
  HANDLER_BEGUN: 13,
  HANDLER_ENDED: 14,
  /** Daemon: a reply was taken, from an app or from a link; the call's id in this daemon. */
  REPLY_TAKEN: 15,
  /** Daemon: the call is over here; the call's id. */
  REPLY_HANDED: 16,
  /** App: the reply of one of its calls was taken; the call's id. */
  REPLY_ARRIVED: 17,
  /** App: the caller's promise was settled. */
  SETTLED: 18,
} as const;
export type TracePoint = (typeof TracePoint)[keyof typeof TracePoint];

/** One note, as it is read. */
export interface TraceNote {
  /** Microseconds of the monotonic clock. */
  readonly micros: number;
  readonly point: TracePoint;
  readonly id: number;
}

/** What a file held when it was read. */
export interface TraceFile {
  /** Notes ever made; those before the oldest of `notes` were overwritten. */
  readonly count: number;
  readonly notes: readonly TraceNote[];
}

const headerBytes = 64;
const noteBytes = 16;
const notesMax = 1 << 16;
const fileBytes = headerBytes + notesMax * noteBytes;

/** The notes of one thread. */
export class TracePoints {
  private readonly folder: string;
  private memory: Memory | null = null;
  private count = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Notes that a point has been reached now. */
  note(point: TracePoint, id: number): void {
    this.memory ??= this.open();
    const { memory } = this;
    const at = headerBytes + (this.count & (notesMax - 1)) * noteBytes;
    memory.f64[at >> 3] = monotonicMicros();
    memory.u32[(at >> 2) + 2] = point;
    memory.u32[(at >> 2) + 3] = id;
    this.count = (this.count + 1) >>> 0;
    // The count comes last, so that a note that is counted is complete.
    Atomics.store(memory.u32, 0, this.count);
  }

  /** With the first note: most threads never come to one. */
  private open(): Memory {
    const path = join(this.folder, `${process.pid}-${threadId}.trace`);
    try {
      const fd = openSync(path, "w+", 0o600);
      try {
        ftruncateSync(fd, fileBytes);
        return openMemory(regionMap(fd, fileBytes, true));
      } finally {
        closeSync(fd);
      }
    } catch (cause) {
      throw new KoalaError(
        "ERR_SHM_TRACE",
        `can't make the file of trace points ${path}: ${messageOf(cause)}; ` +
          "KOALA_TRACE must name a folder that this process may write to, or be empty",
        { cause },
      );
    }
  }
}

/** Reads a file that `TracePoints` writes, perhaps while it does: the notes that are in it, oldest first. */
export function readTraceFile(path: string): TraceFile {
  const bytes = readFileSync(path);
  const memory = openMemory(new Uint8Array(bytes).buffer);
  if (bytes.length !== fileBytes) {
    throw new KoalaError(
      "ERR_SHM_TRACE",
      `${path} has ${bytes.length} bytes, a file of trace points has ${fileBytes}: it is something else`,
    );
  }
  const count = memory.u32[0]!;
  const kept = Math.min(count, notesMax);
  const notes = Array.from({ length: kept }, (_, i): TraceNote => {
    const at = headerBytes + ((count - kept + i) & (notesMax - 1)) * noteBytes;
    return {
      micros: memory.f64[at >> 3]!,
      point: memory.u32[(at >> 2) + 2] as TracePoint,
      id: memory.u32[(at >> 2) + 3]!,
    };
  });
  return { count, notes };
}

const folder = process.env["KOALA_TRACE"] ?? "";

/** Where this thread notes; null when it does not, as nearly always. */
export const tracePoints: TracePoints | null = folder === "" ? null : new TracePoints(folder);

/** From a runtime's record of a call to what the admin socket says of it. */
import { monotonicMicros } from "@koala/native";
import type { CallReport } from "@koala/protocol";
import type { CallRecord } from "./call-records.ts";

/** Taken once, so that a call has begun at the same moment whenever one asks. */
const wallMs = Date.now() - monotonicMicros() / 1000;

/** The report, with the moment as the wall clock has it. */
export function callReportOf({ beganMs, ...record }: CallRecord, runtime: number): CallReport {
  const startedAt = new Date(wallMs + beganMs).toISOString();
  return { ...record, runtime, startedAt };
}

/** Newest first, over all runtimes. */
export function newestFirst(reports: CallReport[], max: number): CallReport[] {
  // ISO 8601 sorts as text does.
  reports.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -Number(a.startedAt > b.startedAt)));
  return reports.slice(0, max);
}

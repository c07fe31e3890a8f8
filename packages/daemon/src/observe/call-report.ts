/** From a runtime's record of a call to what the admin socket says of it. */
import { monotonicMicros } from "@koala/native";
import type { CallReport } from "@koala/protocol";
import type { CallRecord } from "./call-records.ts";

/** The report, with the moment as the wall clock has it. */
export function callReportOf({ beganMs, ...record }: CallRecord, runtime: number): CallReport {
  const agoMs = monotonicMicros() / 1000 - beganMs;
  const startedAt = new Date(Date.now() - agoMs).toISOString();
  return { ...record, runtime, startedAt };
}

/** Newest first, over all runtimes. */
export function newestFirst(reports: CallReport[], max: number): CallReport[] {
  // ISO 8601 sorts as text does.
  reports.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -Number(a.startedAt > b.startedAt)));
  return reports.slice(0, max);
}

/** What an instance remembers of a call between request and response. */
import { layoutVersion } from "./slab.ts";

/** Records that are kept for the next calls; more than that in flight are left to the collector. */
const pooledMax = 4096;

/** One call. Others find it after an upgrade, so its fields keep their meaning with the layout. */
export class CallRecord {
  readonly layout: number = layoutVersion;
  /** Where the numbers of its series are, in the memory that has this stamp. */
  base = 0;
  stamp = 0;
  startedMicros = 0;
  /** Bytes of the request, as it came, or of all messages of the client. */
  requestBytes = 0;
  /** Bytes of messages of the server. */
  responseBytes = 0;
  /** "" when the call is not sampled; the rest of a span is then of no meaning. */
  spanId = "";
  traceId = "";
  /** "" when the trace begins here. */
  parentId = "";
  traceState = "";
}

/** Records that wait for a call; so none is allocated for each call. */
export class CallRecords {
  private readonly free: CallRecord[] = [];

  take(): CallRecord {
    return this.free.pop() ?? new CallRecord();
  }

  give(record: CallRecord): void {
    // Strings may hold on to much longer ones that they were cut from.
    if (record.spanId !== "") {
      record.spanId = "";
      record.traceId = "";
      record.parentId = "";
      record.traceState = "";
    }
    if (this.free.length < pooledMax) this.free.push(record);
  }
}

/**
 * What a policy finds in `call.local`, if this code, the code before it or the daemon before this one has
 * put it there: a record, or a copy of one.
 */
export function recordOf(local: unknown): CallRecord | undefined {
  if (local instanceof CallRecord) return local;
  if (typeof local !== "object" || local === null) return undefined;
  const record = local as CallRecord;
  return record.layout === layoutVersion ? record : undefined;
}

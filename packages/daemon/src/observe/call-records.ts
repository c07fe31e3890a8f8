/**
 * The last calls that were worth recording, in memory that is allocated once: a call that is written over
 * the oldest one makes no garbage. Only names are kept of those who had to do with it, so a record keeps
 * nobody's memory.
 */
import { type Origin, originName, type Status, statusName } from "@koala/interface";
import type { Caller } from "@koala/policy";
import type { CallParty, CallReport } from "@koala/protocol";
import type { Call, Party } from "../datapath/call.ts";
import { type CallNote, Why } from "./call-note.ts";

const kinds: readonly CallParty["kind"][] = ["app", "peer", "runtime", "policy"];
const reasons: readonly CallReport["why"][] = ["sampled", "tapped", "slow", "failed", "denied"];
const nobody: Caller = { app: "", host: "", uid: -1, pid: 0, labels: {} };

/** Columns of times, milliseconds of the monotonic clock; 0: did not happen. */
const BEGAN = 0;
const PASSED = 1;
const SENT = 2;
const REPLIED = 3;
const ENDED = 4;
const REQUEST_BYTES = 5;
const REPLY_BYTES = 6;
const SERIAL = 7;
const numbersPerRow = 8;

/** Small whole numbers. */
const WHY = 0;
const STATUS = 1;
const ORIGIN = 2;
const STAGE = 3;
const PRECISE = 4;
const FROM = 5;
const TO = 6;
const smallPerRow = 8;

/** Words: names and texts. */
const SERVICE = 0;
const METHOD = 1;
const TARGET = 2;
const FROM_NAME = 3;
const TO_NAME = 4;
const ID = 5;
const REMOTE_ID = 6;
const MESSAGE = 7;
const POLICY = 8;
const RULE = 9;
const textsPerRow = 10;

const noParty = -1;

/** A report whose beginning is still in the runtime's clock. */
export interface CallRecord extends Omit<CallReport, "startedAt" | "runtime"> {
  /** Monotonic clock, milliseconds. */
  readonly beganMs: number;
}

export class CallRecords {
  private readonly size: number;
  private readonly numbers: Float64Array;
  private readonly small: Int32Array;
  private readonly texts: string[];
  private readonly callers: Caller[];
  private readonly steps: (readonly string[])[];
  private readonly idOf: (serial: number) => string;
  private count = 0;

  /** `idOf` makes the id of a call that has only been given a number. */
  constructor(size: number, idOf: (serial: number) => string) {
    this.size = size;
    this.idOf = idOf;
    this.numbers = new Float64Array(size * numbersPerRow);
    this.small = new Int32Array(size * smallPerRow);
    this.texts = new Array<string>(size * textsPerRow).fill("");
    this.callers = new Array<Caller>(size).fill(nobody);
    this.steps = new Array<readonly string[]>(size).fill([]);
  }

  /** Calls that were written, also those that are not kept any more. */
  get written(): number {
    return this.count;
  }

  /** A call has ended. `serial`: its number, when it has no id yet. Returns its row. */
  write(call: Call, note: CallNote, endedMs: number, serial: number): number {
    const row = this.count++ % this.size;
    const binding = call.binding!;
    const { numbers, small, texts } = this;
    const n = row * numbersPerRow;
    numbers[n + BEGAN] = call.beganMs;
    numbers[n + PASSED] = call.passedMs;
    numbers[n + SENT] = call.sentMs;
    numbers[n + REPLIED] = call.repliedMs;
    numbers[n + ENDED] = endedMs;
    numbers[n + REQUEST_BYTES] = note.requestBytes;
    numbers[n + REPLY_BYTES] = note.replyBytes;
    numbers[n + SERIAL] = serial;
    const s = row * smallPerRow;
    small[s + WHY] = note.why;
    small[s + STATUS] = note.status;
    small[s + ORIGIN] = note.origin;
    small[s + STAGE] = note.stage;
    small[s + PRECISE] = note.isPrecise ? 1 : 0;
    small[s + FROM] = kindOf(binding.caller);
    small[s + TO] = call.callee === null ? noParty : kindOf(call.callee);
    const t = row * textsPerRow;
    texts[t + SERVICE] = binding.schema.typeName;
    texts[t + METHOD] = call.method?.name ?? "";
    texts[t + TARGET] = binding.target;
    texts[t + FROM_NAME] = binding.caller.label;
    texts[t + TO_NAME] = call.callee?.label ?? "";
    texts[t + ID] = note.requestId;
    texts[t + REMOTE_ID] = note.remoteId;
    texts[t + MESSAGE] = note.message;
    texts[t + POLICY] = note.policy;
    texts[t + RULE] = note.rule;
    this.callers[row] = binding.identity;
    this.steps[row] = note.steps;
    return row;
  }

  /** Rows that are kept, newest first. */
  *rows(): Iterable<number> {
    for (let back = 1; back <= Math.min(this.count, this.size); back++) {
      yield (this.count - back) % this.size;
    }
  }

  /** Whether a row is the call that somebody means, by this daemon's id or by another one's. */
  hasId(row: number, id: string): boolean {
    const t = row * textsPerRow;
    return this.idAt(row) === id || this.texts[t + REMOTE_ID] === id;
  }

  /** When it began; rows of two rings are brought into order by it. */
  beganMs(row: number): number {
    return this.numbers[row * numbersPerRow + BEGAN]!;
  }

  /** A row for people. */
  read(row: number): CallRecord {
    const { numbers, small, texts } = this;
    const n = row * numbersPerRow;
    const s = row * smallPerRow;
    const t = row * textsPerRow;
    const began = numbers[n + BEGAN]!;
    const since = (column: number): number => {
      const at = numbers[n + column]!;
      return at === 0 ? -1 : Math.max(0, Math.round((at - began) * 1000));
    };
    const { app, host, uid, pid } = this.callers[row]!;
    const status = small[s + STATUS]! as Status;
    const steps = this.steps[row]!;
    const stage = small[s + STAGE]!;
    return {
      id: this.idAt(row),
      remoteId: texts[t + REMOTE_ID]!,
      beganMs: began,
      why: reasons[small[s + WHY]!]!,
      service: texts[t + SERVICE]!,
      method: texts[t + METHOD]!,
      target: texts[t + TARGET]!,
      caller: { app, host, uid, pid },
      from: { kind: kinds[small[s + FROM]!]!, name: texts[t + FROM_NAME]! },
      to:
        small[s + TO]! === noParty
          ? null
          : { kind: kinds[small[s + TO]!]!, name: texts[t + TO_NAME]! },
      status,
      statusName: statusName(status),
      origin: originName(small[s + ORIGIN]! as Origin),
      message: texts[t + MESSAGE]!,
      policy: texts[t + POLICY]!,
      rule: texts[t + RULE]!,
      policies: small[s + WHY] === Why.DENIED ? steps.slice(0, stage + 1) : [...steps],
      hops: {
        policies: since(PASSED),
        sent: since(SENT),
        replied: since(REPLIED),
        ended: since(ENDED),
      },
      isPrecise: small[s + PRECISE] === 1,
      requestBytes: numbers[n + REQUEST_BYTES]!,
      replyBytes: numbers[n + REPLY_BYTES]!,
    };
  }

  private idAt(row: number): string {
    const id = this.texts[row * textsPerRow + ID]!;
    return id === "" ? this.idOf(this.numbers[row * numbersPerRow + SERIAL]!) : id;
  }
}

function kindOf({ isApp, isLocal, isPolicy }: Party): number {
  if (isPolicy === true) return 3;
  return isApp ? 0 : isLocal ? 2 : 1;
}

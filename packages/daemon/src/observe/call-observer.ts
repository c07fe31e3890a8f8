/**
 * What a runtime notes of its calls: counters of all of them, and a record of those that are worth one.
 *
 * A call that nobody looks at pays four stores of the round's time, a few additions, and a comparison at
 * each place where there is something to note. Recorded are: samples, up to some hundred a second and all
 * calls when there are few; calls that took long; calls that failed, up to a thousand a second; and what
 * is tapped. Samples have their times from the clock, so the latencies of `koalactl top` are theirs.
 */
import { Origin, Status } from "@koala/interface";
import { monotonicMicros } from "@koala/native";
import type { Chain } from "@koala/policy/engine";
import { decodeMetadata, encodeMetadata } from "@koala/protocol";
import type { Runtime } from "@koala/runtime";
import { TracePoint, tracePoints } from "@koala/shm";
import type { Body } from "../datapath/body.ts";
import type { Call } from "../datapath/call.ts";
import type { DenialReport } from "../datapath/policy-chains.ts";
import type { Flow } from "../streams/flow.ts";
import { CallNote, Why } from "./call-note.ts";
import { type CallRecord, CallRecords } from "./call-records.ts";
import { TapPoint } from "./tap-point.ts";

/** Samples a second, in the long run and at once; and calls between two looks for one, at most. */
const samplesPerSecond = 500;
const samplesAtOnce = 500;
const skipMax = 1024;
/** When calls have become few, the next one is looked at after this time. */
const lookAfterMs = 20;
/** Failures a second that are recorded. */
const failuresPerSecond = 1000;
/** Calls that take longer are recorded, whether they were sampled or not. */
const slowMs = 250;
/** Records of samples, and of everything else. */
const recordsKept = 1024;
const messageLengthMax = 512;
/** Trailers beyond this are not searched for the id of another daemon, headers are not copied. */
const metadataMax = 4096;
const notesPooled = 256;
/** Blocks of messages that are copied of each direction of a stream. */
const messagesCaptured = 8;

export interface CallObserverOptions {
  readonly runtime: Runtime;
  /** Begins request ids. */
  readonly instance: string;
}

export class CallObserver {
  readonly taps: TapPoint;
  private readonly runtime: Runtime;
  private readonly instance: string;
  private readonly samples: CallRecords;
  private readonly notable: CallRecords;
  private readonly notes: CallNote[] = [];
  private readonly stepNames = new WeakMap<Chain, readonly string[]>();
  /** Calls until the next look for a sample. */
  private countdown = 1;
  private skip = 1;
  /** When there is a look at the latest. */
  private lookMs = 0;
  private tokens = samplesAtOnce;
  private tokensMs = 0;
  private failureTokens = failuresPerSecond;
  private failureTokensMs = 0;
  private serial = 0;

  constructor({ runtime, instance }: CallObserverOptions) {
    this.runtime = runtime;
    this.instance = instance;
    this.samples = new CallRecords(recordsKept, (serial) => this.idOf(serial));
    this.notable = new CallRecords(recordsKept, (serial) => this.idOf(serial));
    this.taps = new TapPoint(runtime, () => {
      this.countdown = 1;
    });
  }

  /** An id for a call of this runtime. */
  nextRequestId(): string {
    return this.idOf(++this.serial);
  }

  // ── hooks of the data path ────────────────────────────────────────────────────────────────────────

  /** A call has come in, and is on its chain of policies. Its body may not be complete yet. */
  begin(call: Call, body: Body): void {
    if (tracePoints !== null) tracePoints.note(TracePoint.TAKEN, call.id);
    const { traffic } = call.binding!;
    traffic.calls++;
    traffic.open++;
    traffic.requestBytes += body.bodyBytes();
    call.beganMs = this.runtime.nowMs;
    call.passedMs = 0;
    call.sentMs = 0;
    call.repliedMs = 0;
    call.outcome = 0;
    if (--this.countdown <= 0 || this.runtime.nowMs >= this.lookMs) this.look(call, body);
  }

  /** The complete request of a call with a note is about to pass the policies, perhaps not for the first time. */
  offered(call: Call, body: Body): void {
    const { capture } = call.note!;
    if (capture === null || capture.requests.length > 0) return;
    const { metadataOffset: at, metadataLength } = body;
    if (metadataLength > 0 && metadataLength <= metadataMax) {
      capture.metadata = body.tail.u8.slice(at, at + metadataLength);
    }
    this.capture(call, true, body);
  }

  /** The policies before the server have let a call with a note go on. */
  passed(call: Call): void {
    call.passedMs = monotonicMicros() / 1000;
  }

  /** The request was handed on. */
  sent(call: Call): void {
    if (tracePoints !== null) tracePoints.note(TracePoint.HANDED, call.id);
    call.sentMs = call.note === null ? this.runtime.nowMs : monotonicMicros() / 1000;
  }

  /** A reply has come, perhaps not for the first time. */
  replied(call: Call, status: Status, origin: Origin, body: Body): void {
    if (call.beganMs === 0 || call.repliedMs !== 0) return;
    if (tracePoints !== null) tracePoints.note(TracePoint.REPLY_TAKEN, call.id);
    call.repliedMs = call.note === null ? this.runtime.nowMs : monotonicMicros() / 1000;
    const bytes = body.bodyBytes();
    call.binding!.traffic.replyBytes += bytes;
    if (status !== Status.OK) this.failedThere(call, status, origin, body);
    else if (call.note !== null) this.answered(call, bytes, body);
  }

  /** Messages of a stream come through. */
  message({ call, toCallee }: Flow, body: Body): void {
    if (call.beganMs === 0) return;
    const { traffic } = call.binding!;
    const bytes = body.bodyBytes();
    if (toCallee) traffic.requestBytes += bytes;
    else traffic.replyBytes += bytes;
    const { note } = call;
    if (note === null) return;
    if (toCallee) note.requestBytes += bytes;
    else note.replyBytes += bytes;
    if (note.capture !== null && body.inlineLength > 0) this.capture(call, toCallee, body);
  }

  /** The call ends with a status of this daemon's. A second one is not noted. */
  failed(call: Call, status: Status, origin: Origin, message: string): void {
    const note = this.failing(call, status);
    if (note === null) return;
    note.status = status;
    note.origin = origin;
    note.message = message.slice(0, messageLengthMax);
  }

  /** A policy has put its denial in the place of the outcome. */
  denied(call: Call, { policy, rule, requestId, status }: DenialReport): void {
    const note = this.failing(call, status) ?? call.note;
    if (note === null) return;
    note.why = Why.DENIED;
    note.requestId = requestId;
    note.status = status;
    note.origin = Origin.POLICY;
    note.policy = policy;
    note.rule = rule;
    note.message = call.live!.denial.message.slice(0, messageLengthMax);
  }

  /** Trailers that name the call to its caller, when its failure was recorded. */
  trailersOf({ note }: Call): Uint8Array | null {
    if (note === null || note.why < Why.FAILED) return null;
    if (note.requestId === "") note.requestId = this.nextRequestId();
    return encodeMetadata([["koala-request-id", note.requestId]]);
  }

  /** A call that was begun here is over. */
  ended(call: Call): void {
    if (tracePoints !== null) tracePoints.note(TracePoint.REPLY_HANDED, call.id);
    const { traffic } = call.binding!;
    traffic.open--;
    const { note } = call;
    if (note !== null) {
      this.record(call, note);
      call.note = null;
      note.clear();
      if (this.notes.length < notesPooled) this.notes.push(note);
    } else if (this.runtime.nowMs - call.beganMs >= slowMs && isUnary(call)) {
      const slow = this.takeNote();
      slow.why = Why.SLOW;
      this.noteChainOf(call, slow);
      this.record(call, slow);
      slow.clear();
      this.notes.push(slow);
    }
    call.beganMs = 0;
  }

  // ── for whoever asks ──────────────────────────────────────────────────────────────────────────────

  /** The calls with an id: one, or the few that another daemon has given the same name. */
  find(id: string): CallRecord[] {
    return this.select((records, row) => records.hasId(row, id), 8);
  }

  /** The newest, failures only if asked for. */
  newest(last: number, isFailed: boolean): CallRecord[] {
    return this.select(() => true, last, isFailed ? [this.notable] : undefined).filter(
      ({ status }) => !isFailed || status !== Status.OK,
    );
  }

  private select(
    fits: (records: CallRecords, row: number) => boolean,
    max: number,
    rings: readonly CallRecords[] = [this.samples, this.notable],
  ): CallRecord[] {
    const found: CallRecord[] = [];
    for (const records of rings) {
      let left = max;
      for (const row of records.rows()) {
        if (left === 0) break;
        if (!fits(records, row)) continue;
        found.push(records.read(row));
        left--;
      }
    }
    return found.sort((a, b) => b.beganMs - a.beganMs).slice(0, max);
  }

  // ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Not for each call: whether this one is a sample, or tapped. */
  private look(call: Call, body: Body): void {
    const { nowMs } = this.runtime;
    if (nowMs >= this.lookMs) this.skip = 1;
    this.lookMs = nowMs + lookAfterMs;
    const capture = this.taps.isActive ? this.taps.open(call) : null;
    const isSample = this.takeToken();
    // While there is a tap, each call is looked at.
    this.countdown = this.taps.isActive ? 1 : this.skip;
    if (!isSample && capture === null) return;
    const note = this.takeNote();
    note.why = capture === null ? Why.SAMPLED : Why.TAPPED;
    note.isPrecise = true;
    note.requestBytes = body.bodyBytes();
    note.capture = capture;
    this.noteSteps(call, note);
    call.note = note;
    call.beganMs = monotonicMicros() / 1000;
  }

  private takeToken(): boolean {
    const { nowMs } = this.runtime;
    const earned = ((nowMs - this.tokensMs) * samplesPerSecond) / 1000;
    this.tokens = Math.min(samplesAtOnce, this.tokens + earned);
    this.tokensMs = nowMs;
    if (this.tokens < 1) {
      this.skip = Math.min(skipMax, this.skip * 2);
      return false;
    }
    this.tokens--;
    if (this.tokens > samplesAtOnce / 2 && this.skip > 1) this.skip >>= 1;
    return true;
  }

  private takeFailureToken(): boolean {
    const { nowMs } = this.runtime;
    const earned = ((nowMs - this.failureTokensMs) * failuresPerSecond) / 1000;
    this.failureTokens = Math.min(failuresPerSecond, this.failureTokens + earned);
    this.failureTokensMs = nowMs;
    if (this.failureTokens < 1) return false;
    this.failureTokens--;
    return true;
  }

  /** The note of a call that fails; null when there is none to be had, or its end is known already. */
  private failing(call: Call, status: Status): CallNote | null {
    if (call.beganMs === 0 || call.outcome !== 0) return null;
    call.outcome = status;
    call.binding!.traffic.errors++;
    if (call.note === null) {
      if (!this.takeFailureToken()) return null;
      call.note = this.takeNote();
    }
    const { note } = call;
    note.why = Why.FAILED;
    if (note.steps.length === 0) this.noteSteps(call, note);
    note.stage = call.live !== null && call.live.chain !== null ? call.live.stage : 0;
    return note;
  }

  /** The server, or somebody on the way to it, has said no. */
  private failedThere(call: Call, status: Status, origin: Origin, body: Body): void {
    const note = this.failing(call, status);
    if (note === null) return;
    note.status = status;
    note.origin = origin;
    const length = Math.min(body.messageLength, messageLengthMax);
    const { messageOffset: at, metadataOffset, metadataLength } = body;
    if (length > 0) note.message = body.tail.node.toString("utf8", at, at + length);
    // An app may write what it likes there; another daemon does not.
    if (call.callee?.isApp !== false || metadataLength === 0 || metadataLength > metadataMax)
      return;
    const bytes = body.tail.u8.subarray(metadataOffset, metadataOffset + metadataLength);
    for (const [key, value] of decodeMetadata(bytes) ?? []) {
      if (key === "koala-request-id" && typeof value === "string") note.remoteId = value;
    }
  }

  private answered(call: Call, bytes: number, body: Body): void {
    const note = call.note!;
    note.replyBytes += bytes;
    note.status = Status.OK;
    note.origin = Origin.REMOTE_APP;
    if (note.capture !== null) this.capture(call, false, body);
  }

  /** Copies a message, unless there are enough of them. One that is not there is none. */
  private capture(call: Call, isRequest: boolean, body: Body): void {
    const capture = call.note!.capture!;
    const list = isRequest ? capture.requests : capture.replies;
    if (list.length >= messagesCaptured || body.inlineLength === 0) return;
    const { taps } = this;
    const schema = isRequest ? call.binding!.schema : taps.replySchemaOf(call);
    const isOwn = isRequest || call.replyTranscoder === null;
    const method = isOwn ? call.method!.index : call.calleeMethod;
    list.push(taps.copy(body, schema, method, !isRequest, capture));
  }

  private record(call: Call, note: CallNote): void {
    const endedMs = note.isPrecise ? monotonicMicros() / 1000 : this.runtime.nowMs;
    const hasChain = note.steps.length > 0;
    if (note.requestId === "" && hasChain && call.live !== null)
      note.requestId = call.live.requestId;
    const serial = note.requestId === "" ? ++this.serial : 0;
    // Streams last as long as they like.
    const isOnTime = endedMs - call.beganMs < slowMs || !isUnary(call);
    if (!isOnTime && note.why < Why.SLOW) note.why = Why.SLOW;
    const isSample = note.why === Why.SAMPLED || note.why === Why.TAPPED;
    const records = isSample ? this.samples : this.notable;
    const row = records.write(call, note, endedMs, serial);
    if (note.isPrecise && isUnary(call)) {
      call.binding!.traffic.took((endedMs - call.beganMs) * 1000);
    }
    if (note.capture !== null) {
      this.taps.close(records.read(row), note.capture, call.binding!.identity.labels);
    }
  }

  private noteSteps(call: Call, note: CallNote): void {
    const chain = call.live === null ? null : call.live.chain;
    if (chain !== null) note.steps = this.stepsOf(chain);
  }

  /** The same for a call that is through with its policies, which nobody has looked at before. */
  private noteChainOf({ binding, method }: Call, note: CallNote): void {
    const chain = binding!.chains[method!.index];
    if (chain != null) note.steps = this.stepsOf(chain);
  }

  private stepsOf(chain: Chain): readonly string[] {
    let names = this.stepNames.get(chain);
    if (names === undefined) {
      names = chain.steps.map(({ slot, side }) => `${slot.name} (${side})`);
      this.stepNames.set(chain, names);
    }
    return names;
  }

  private takeNote(): CallNote {
    return this.notes.pop() ?? new CallNote();
  }

  private idOf(serial: number): string {
    return `${this.instance}-${serial.toString(36)}`;
  }
}

function isUnary({ method }: Call): boolean {
  return method!.kind === "unary";
}

/**
 * Decides where calls go, and ends them. One router a runtime.
 *
 * Resolving: servers on this host that can understand the caller's schema come first, whichever runtime
 * they are attached to; if there are none, links whose daemon offers the service. Among equals, calls go
 * round robin, one by one, so a sibling runtime has a turn for each of its servers: where an app happens
 * to be attached must not decide how much it has to do. The result is cached in the binding until
 * something changes (`version`).
 */
import { KoalaError, Origin, Status } from "@koala/interface";
import { type Chain, Passage } from "@koala/policy/engine";
import type { Runtime } from "@koala/runtime";
import { type Heap, TracePoint, tracePoints } from "@koala/shm";
import { CallObserver } from "../observe/call-observer.ts";
import { Streams } from "../streams/streams.ts";
import { PolicyParty } from "./attempts.ts";
import type { Binding, Candidate, CandidateMethod, Export, Refusal, RouteLink } from "./binding.ts";
import type { Body } from "./body.ts";
import { type Call, CallTable, Outcome, Parked, type Party } from "./call.ts";
import type { PartyEndpoint } from "./endpoints.ts";
import { addLinkCandidate, Forwards } from "./forwards.ts";
import { ParkQueue } from "./park-queue.ts";
import { type DenialReport, PolicyChains } from "./policy-chains.ts";
import { conflictOf, type LinkSituation, refusalOf } from "./refusals.ts";
import type { SchemaStore } from "./schema-store.ts";

export class Router {
  readonly calls: CallTable = new CallTable();
  readonly exports: Export[] = [];
  readonly links: RouteLink[] = [];
  /** Where services have gone that this runtime has had. */
  readonly forwards: Forwards = new Forwards();
  readonly policies: PolicyChains;
  /** What streaming calls have beside requests and replies. */
  readonly streams: Streams = new Streams(this);
  /** Counts calls, and records some of them. */
  readonly observer: CallObserver;
  /** Makes the calls that policies make. */
  readonly policyParty: PolicyParty;
  /** Told after each change of `exports`, so that links can tell their peers. */
  onExportsChanged: () => void = () => {};
  /** Told whenever what can be reached may have changed. */
  onRoutesChanged: () => void = () => {};
  /** Told of each denial by a policy. */
  onDenied: (report: DenialReport) => void = () => {};
  situation: LinkSituation = { firstAttempts: () => 0, problems: () => [] };
  private readonly runtime: Runtime;
  private readonly schemas: SchemaStore;
  /** Calls that wait until somebody serves them. */
  private readonly waiting = new ParkQueue<Call>((call) => this.offerAgain(call));
  private version = 0;

  /** `instance`: short and unique to this runtime of this daemon; begins request ids. */
  constructor(runtime: Runtime, schemas: SchemaStore, instance: string) {
    this.runtime = runtime;
    this.schemas = schemas;
    this.calls.onDeadline = (call) => this.expire(call);
    this.policyParty = new PolicyParty(this);
    this.observer = new CallObserver({ runtime, instance });
    this.policies = new PolicyChains({
      runtime,
      nextRequestId: () => this.observer.nextRequestId(),
      timeLeftMs: (call) => this.timeLeftMs(call),
      proceed: (call) => this.proceed(call),
      onDenied: (report, call) => {
        this.observer.denied(call, report);
        this.onDenied(report);
      },
    });
  }

  /** Milliseconds of the monotonic clock, as of the start of this round. */
  nowMs(): number {
    return this.runtime.nowMs;
  }

  addExport(entry: Export): void {
    this.exports.push(entry);
    this.routesChanged();
    this.onExportsChanged();
  }

  removeExport(entry: Export): void {
    const index = this.exports.indexOf(entry);
    if (index < 0) return;
    this.exports.splice(index, 1);
    this.routesChanged();
    this.onExportsChanged();
  }

  addLink(link: RouteLink): void {
    this.links.push(link);
    this.routesChanged();
  }

  removeLink(link: RouteLink): void {
    const index = this.links.indexOf(link);
    if (index < 0) return;
    this.links.splice(index, 1);
    this.forwards.dropLink(link);
    this.routesChanged();
  }

  /** A link is represented by another object; to be followed by `routesChanged`. */
  replaceLink(before: RouteLink, after: RouteLink): void {
    const index = this.links.indexOf(before);
    if (index >= 0) this.links[index] = after;
    this.forwards.replaceLink(before, after);
    this.policies.endpoints.replace(before, after);
  }

  /** Something that routes depend on has changed: bindings resolve anew, calls that wait try again. */
  routesChanged(): void {
    this.version++;
    this.waiting.drainAll();
    this.onRoutesChanged();
  }

  /** Arms the call's deadline, `timeoutMs` from now; 0 = none. */
  setDeadline(call: Call, timeoutMs: number): void {
    if (timeoutMs === 0) return;
    call.deadlineMs = this.runtime.nowMs + timeoutMs;
    this.runtime.timers.set(call.timer, call.deadlineMs);
  }

  /** Milliseconds until the call's deadline, at least 1; 0 = none. */
  timeLeftMs(call: Call): number {
    if (call.deadlineMs === 0) return 0;
    return Math.max(1, Math.round(call.deadlineMs - this.runtime.nowMs));
  }

  /**
   * Hands a request to somebody who serves it, through the policies of the call. DONE also when the call
   * could not be served and has been ended with a status; PARK: it waits, the source keeps the message.
   */
  dispatch(call: Call, body: Body): Outcome {
    if (call.note !== null) this.observer.offered(call, body);
    const chain = call.live === null ? null : call.live.chain;
    if (chain !== null) return this.dispatchThrough(call, body, chain);
    if (call.callee === null) {
      const selected = this.select(call);
      if (selected !== Outcome.DONE || !call.open) return selected;
    }
    const { id } = call;
    const outcome = call.callee!.begin(call, body);
    if (outcome === Outcome.DONE || outcome === Outcome.HELD) this.observer.sent(call);
    if (outcome === Outcome.PARK) call.parked = Parked.REQUEST;
    // A copy that is nobody's held the request; what comes next in this call is the reply.
    else if (call.copy !== null && call.open && call.copyOwner === null) call.copy = null;
    if (call.stream !== null && call.open && call.id === id) this.follow(call, outcome);
    return outcome;
  }

  /** The same for a call that policies are concerned with. */
  private dispatchThrough(call: Call, body: Body, chain: Chain): Outcome {
    const { id } = call;
    this.policies.openRequest(call, body);
    const outcome = this.passThrough(call, body, chain);
    // It may have ended, and even have been followed by another call in the same record.
    if (!call.open || call.id !== id) return outcome;
    const isParked = outcome === Outcome.PARK;
    if (isParked) call.parked = Parked.REQUEST;
    else this.observer.sent(call);
    this.policies.closeRequest(call, body, isParked);
    if (!isParked && call.copyOwner === null) call.copy = null;
    if (call.stream !== null) this.follow(call, outcome);
    return outcome;
  }

  /** The request of a streaming call was offered: what has come behind it goes on if it was taken. */
  private follow(call: Call, outcome: Outcome): void {
    if (outcome === Outcome.DONE || outcome === Outcome.HELD) this.streams.started(call);
  }

  private passThrough(call: Call, body: Body, chain: Chain): Outcome {
    let outcome = this.pass(call, chain.clientCount);
    if (outcome !== Outcome.DONE || !call.open || call.attempts !== null) return outcome;
    if (call.callee === null) {
      outcome = this.select(call);
      if (outcome !== Outcome.DONE || !call.open) return outcome;
    }
    if (call.callee!.isApp) {
      outcome = this.pass(call, chain.steps.length);
      if (outcome !== Outcome.DONE || !call.open || call.attempts !== null) return outcome;
    }
    if (call.note !== null) this.observer.passed(call);
    return call.callee!.begin(call, body);
  }

  /** Runs the policies before `end`. DONE: it may go on, unless it has ended or is left to attempts. */
  private pass(call: Call, end: number): Outcome {
    if (call.live!.stage >= end) return Outcome.DONE;
    if (tracePoints !== null) tracePoints.note(TracePoint.POLICIES_BEGUN, call.id);
    const passage = this.policies.request(call, end);
    if (tracePoints !== null) tracePoints.note(TracePoint.POLICIES_PASSED, call.id);
    switch (passage) {
      case Passage.PASSED:
        return Outcome.DONE;
      case Passage.DENIED:
        this.deny(call);
        return Outcome.DONE;
      case Passage.HELD:
        return call.attempts === null ? Outcome.PARK : Outcome.DONE;
      default:
        return Outcome.INVALID;
    }
  }

  /** A policy lets a held call go on, or has ended it. */
  private proceed(call: Call): void {
    const { live } = call;
    if (live === null || live.chain === null || live.holder !== null) return;
    if (live.isDenied) this.deny(call);
    else this.offerAgain(call);
  }

  private deny(call: Call): void {
    this.tellDenial(call);
    this.end(call);
  }

  /** The same while the callee is at work: it is told to stop. */
  denyMidway(call: Call): void {
    this.tellDenial(call);
    this.abandon(call, Status.CANCELLED);
  }

  private tellDenial(call: Call): void {
    const live = call.live!;
    const first = this.policies.denialOf(call);
    const passage = this.policies.response(
      call,
      live.denial.status,
      Origin.POLICY,
      null,
      live.denial.message,
    );
    const { text, trailers } = passage === Passage.DENIED ? this.policies.denialOf(call) : first;
    call.caller?.finishWith(call, live.denial.status, Origin.POLICY, text, trailers);
  }

  /**
   * Hands the reply to the caller, through the policies that the request got to. The source of the message
   * does with the outcome as with that of `Party.finish`.
   */
  deliver(call: Call, status: Status, origin: Origin, body: Body): Outcome {
    const { caller, live } = call;
    if (caller === null) return Outcome.DONE;
    // Messages come first. They have this offered again.
    if (call.stream !== null && call.stream.toCaller.waiting.length > 0) return Outcome.PARK;
    this.observer.replied(call, status, origin, body);
    if (live === null || live.chain === null) return caller.finish(call, status, origin, body);
    if (tracePoints !== null) tracePoints.note(TracePoint.POLICIES_BEGUN, call.id);
    const passage = this.policies.response(call, status, origin, body, "");
    if (tracePoints !== null) tracePoints.note(TracePoint.POLICIES_PASSED, call.id);
    if (passage === Passage.DENIED) {
      body.discard();
      const { text, trailers } = this.policies.denialOf(call);
      caller.finishWith(call, live.denial.status, Origin.POLICY, text, trailers);
      return Outcome.DONE;
    }
    const outcome = caller.finish(call, status, origin, body);
    if (outcome === Outcome.PARK) this.policies.replyParked(call, body);
    return outcome;
  }

  /**
   * Chooses who serves a call and notes it there. DONE: it is chosen, or nobody serves it and the call
   * has been ended with a status (`open` tells); PARK: it waits until somebody does.
   */
  select(call: Call): Outcome {
    const binding = call.binding!;
    if (binding.version !== this.version) this.resolve(binding);
    const count = binding.candidates.length;
    if (count === 0) return this.refuse(call, binding);
    if (call.avoid !== null || (call.live?.chain?.routing.length ?? 0) > 0) {
      return this.selectByPolicy(call, binding);
    }
    binding.turn = binding.turn + 1 < count ? binding.turn + 1 : 0;
    let candidate = binding.candidates[binding.turn]!;
    let method = candidate.methods[call.method!.index];
    // While a service is being updated some of its servers have methods that others do not have yet.
    for (let tried = 1; method === undefined && tried < count; tried++) {
      binding.turn = binding.turn + 1 < count ? binding.turn + 1 : 0;
      candidate = binding.candidates[binding.turn]!;
      method = candidate.methods[call.method!.index];
    }
    if (method === undefined) this.failWithoutMethod(call, binding);
    else assign(call, candidate, method);
    return Outcome.DONE;
  }

  /** The same where policies choose. */
  private selectByPolicy(call: Call, binding: Binding): Outcome {
    const { index } = call.method!;
    const { policies } = this;
    binding.endpoints[index] ??= policies.endpoints.among(binding.candidates, index);
    const all = binding.endpoints[index];
    if (all.length === 0) {
      this.failWithoutMethod(call, binding);
      return Outcome.DONE;
    }
    let left: readonly PartyEndpoint[] = policies.route(call, all);
    const { avoid } = call;
    if (avoid !== null && left.some((endpoint) => !avoid.includes(endpoint))) {
      left = left.filter((endpoint) => !avoid.includes(endpoint));
    }
    if (left.length === 0) {
      const text = `${call.method!.name}: the policies have left none of the ${all.length} servers of "${binding.target}"`;
      this.fail(call, Status.UNAVAILABLE, Origin.POLICY, text);
      return Outcome.DONE;
    }
    binding.turn++;
    const endpoint = left[binding.turn % left.length]!;
    for (const candidate of binding.candidates) {
      const method = candidate.methods[index];
      if (candidate.party !== endpoint.party || method === undefined) continue;
      assign(call, candidate, method);
      break;
    }
    if (call.live?.chain != null) {
      if (call.endpoint !== null) call.endpoint.inFlight--;
      call.endpoint = endpoint;
      endpoint.inFlight++;
    }
    return Outcome.DONE;
  }

  private failWithoutMethod(call: Call, binding: Binding): void {
    const { candidates, schema, target } = binding;
    const others = candidates.length > 1 ? ", as do the others" : "";
    this.fail(
      call,
      Status.UNIMPLEMENTED,
      Origin.LOCAL_DAEMON,
      `${schema.typeName}/${call.method!.name}: ${candidates[0]!.party.label} serves "${target}" with a schema that has no such method${others}`,
    );
  }

  /** Ends a call with a status of the daemon's own; the callee has nothing (more) to do with it. */
  fail(call: Call, status: Status, origin: Origin, message: string): void {
    this.conclude(call, status, origin, message);
    this.end(call);
  }

  /** Tells the caller, and the policies of the call, how it ended. */
  private conclude(call: Call, status: Status, origin: Origin, message: string): void {
    const { caller, live } = call;
    this.observer.failed(call, status, origin, message);
    if (live === null || live.chain === null) {
      caller?.finishWith(call, status, origin, message, this.observer.trailersOf(call));
      return;
    }
    if (this.policies.response(call, status, origin, null, message) !== Passage.DENIED) {
      caller?.finishWith(call, status, origin, message, this.observer.trailersOf(call));
      return;
    }
    const { text, trailers } = this.policies.denialOf(call);
    caller?.finishWith(call, live.denial.status, Origin.POLICY, text, trailers);
  }

  /** Ends a call whose message has no equivalent in the schema of the other side. */
  failUntranslatable(call: Call, what: "request" | "reply"): void {
    const text = `${call.method?.name ?? "call"}: the ${what} can't be said in the other side's version of ${call.binding?.schema.typeName ?? "the schema"}; update the older schema`;
    this.fail(call, Status.FAILED_PRECONDITION, Origin.LOCAL_DAEMON, text);
  }

  /** The same while the callee may be at work: it is told to stop. */
  abort(call: Call, status: Status, origin: Origin, message: string): void {
    this.conclude(call, status, origin, message);
    this.abandon(call, status);
  }

  /** Nobody waits for the reply any more: the callee is told, the caller is not. */
  abandon(call: Call, reason: Status): void {
    this.observer.failed(call, reason, Origin.APP, "the caller gave up");
    this.leaveChain(call, reason);
    if (call.stream !== null) this.streams.drop(call);
    call.caller = null;
    this.runtime.timers.clear(call.timer);
    if (call.callee === null || call.parked !== Parked.NO) this.end(call);
    else call.callee.cancel(call, reason);
  }

  /** The call is over for everybody. */
  end(call: Call): void {
    this.leaveChain(call, Status.CANCELLED);
    if (call.beganMs !== 0) this.observer.ended(call);
    this.runtime.timers.clear(call.timer);
    if (call.attempts !== null) this.policyParty.endAttempts(call);
    if (call.parked === Parked.REPLY) call.callee?.dropReply(call);
    call.copyOwner?.dropCopy(call);
    this.calls.closeCall(call);
  }

  /** Whatever way a call ends, its policies hear of it, once. */
  private leaveChain(call: Call, reason: Status): void {
    if (call.live === null || call.live.chain === null) return;
    this.policies.response(call, reason, Origin.APP, null, "the caller gave up");
  }

  /** An app or a link is gone: what it made is abandoned, what it served ends with the status. */
  partyGone(party: Party, status: Status, origin: Origin, message: string): void {
    for (const call of this.calls.filter((c) => c.caller === party)) {
      this.abandon(call, Status.CANCELLED);
    }
    for (const call of this.calls.filter((c) => c.callee === party)) {
      if (call.parked === Parked.REQUEST) {
        // It never got there: somebody else may serve it.
        call.callee = null;
        this.offerAgain(call);
      } else {
        this.fail(call, status, origin, message);
      }
    }
  }

  /** Offers a parked message again; true if it is not parked any more. */
  offerAgain(call: Call): boolean {
    if (call.parked === Parked.NO) return true;
    // A policy holds it, and says when it goes on.
    if (call.live !== null && call.live.holder !== null) return false;
    const source = call.parked === Parked.REQUEST ? call.caller : call.callee;
    return source === null ? true : source.retry(call);
  }

  /** Calls that wait until somebody serves them, in order. */
  waitingCalls(): readonly Call[] {
    return this.waiting.waiting();
  }

  isWaiting(call: Call): boolean {
    return call.queue === this.waiting;
  }

  /** A restored call waits until somebody serves it, behind those adopted before. */
  adoptWaiting(call: Call): void {
    this.waiting.push(call);
  }

  /** A receive heap is about to be closed: messages that wait in it, or come in to it, move elsewhere. */
  evacuate(heap: Heap): void {
    for (const link of this.links) link.evacuate(heap);
    for (const call of this.calls.filter(({ copy }) => copy?.placedIn === heap)) {
      const copy = call.copy!.privateCopy();
      call.copy!.discard();
      call.copy = copy;
    }
  }

  /** Who can serve a binding now. */
  candidatesOf(binding: Binding): readonly Candidate[] {
    if (binding.version !== this.version) this.resolve(binding);
    return binding.candidates;
  }

  private expire(call: Call): void {
    const name = call.method === null ? "the call" : call.method.name;
    const origin = call.caller !== null ? Origin.LOCAL_DAEMON : Origin.REMOTE_DAEMON;
    this.abort(call, Status.DEADLINE_EXCEEDED, origin, `${name}: its deadline has passed`);
  }

  private resolve(binding: Binding): void {
    binding.version = this.version;
    binding.turn = 0;
    binding.endpoints = [];
    const { reach } = binding;
    const here = this.localCandidates(binding);
    let isPending = false;
    if (reach !== "nowhere") isPending = this.addLinkCandidates(binding, true, here);
    else if (here.length === 0) {
      const link = this.forwards.linkFor(binding);
      if (link !== undefined) addLinkCandidate(link, binding, here);
    }
    // Who is about to be there on this host is worth the wait.
    if (reach === "anywhere" && here.length === 0 && !isPending) {
      this.addLinkCandidates(binding, false, here);
    }
    binding.candidates = here;
  }

  private localCandidates(binding: Binding): Candidate[] {
    const { schema, target } = binding;
    const candidates: Candidate[] = [];
    for (const entry of this.exports) {
      if (entry.name !== target || entry.schema.typeName !== schema.typeName) continue;
      const comparison = this.schemas.compare(schema, entry.schema);
      if (comparison instanceof KoalaError) continue;
      const methods = comparison.methods.map((m): CandidateMethod | undefined =>
        m.serverIndex < 0
          ? undefined
          : {
              index: m.serverIndex,
              request: m.request,
              reply: m.response,
              output: entry.schema.methods[m.serverIndex]!.output,
            },
      );
      candidates.push({ party: entry.party, target: entry.id, instances: 1, methods });
    }
    return candidates;
  }

  /** Adds sibling runtimes, or peers, that serve the binding; true if some have yet to say so. */
  private addLinkCandidates(binding: Binding, siblings: boolean, candidates: Candidate[]): boolean {
    let isPending = false;
    for (const link of this.links) {
      if (link.sibling === siblings && addLinkCandidate(link, binding, candidates)) {
        isPending = true;
      }
    }
    return isPending;
  }

  private refuse(call: Call, binding: Binding): Outcome {
    const refusal = this.refusalOf(binding);
    if (refusal.pending || call.waitForReady) {
      call.callee = null;
      call.parked = Parked.REQUEST;
      this.waiting.push(call);
      return Outcome.PARK;
    }
    this.fail(call, refusal.status, Origin.LOCAL_DAEMON, refusal.message);
    return Outcome.DONE;
  }

  /** Why nobody serves the binding now. */
  refusalOf(binding: Binding): Refusal {
    return refusalOf(this, this.schemas, binding);
  }

  /** The conflict, if everybody here who serves the binding's service has a schema that conflicts. */
  conflictOf(binding: Binding): KoalaError | undefined {
    return conflictOf(this, this.schemas, binding);
  }
}

/** Notes on a call who serves it, and in which layouts. */
function assign(call: Call, candidate: Candidate, method: CandidateMethod): void {
  call.callee = candidate.party;
  call.calleeTarget = candidate.target;
  call.calleeMethod = method.index;
  call.requestTranscoder = method.request;
  call.replyCodec = method.output;
  call.replyTranscoder = method.reply;
}
